//! Records: what a rule looks at, and which of them it selects.
//!
//! ```text
//! bytes ─ encoding ─► lines ─ cri, docker ─► whole lines ─ multiline ─► records
//!                                                                         │
//!                      match, except on the message ◄── json, logfmt ─────┤
//!                      where on the fields                                ▼
//! ```
//!
//! How bytes become records is a [`Reading`](reading::Reading). Rules that read a
//! file in the same way are searched together by a [`Searcher`](searcher::Searcher);
//! the engine cuts the records ([`engine::records`](crate::engine::records)), for only
//! there it is known where a file ends.

pub mod reading;

pub mod parsed;

pub mod conditions;

pub mod searcher;

pub(super) mod read;
