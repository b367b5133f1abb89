//! logcrier: a town crier for servers.
//!
//! It watches log files and the exit statuses of commands against rules and posts
//! what matters to a Google Chat space: at once, in the rule's own thread, never
//! above the space's quota, and without losing count. This page is the map.
//!
//! # The engine decides, the host does
//!
//! ```text
//!   hints, timers, exit statuses                             answers, faults
//!               │                                                   │
//!  ┌────────────▼───────────────────────────────────────────────────▼─────────┐
//!  │ SOURCE       LINES        RULES        EVENTS     CORRELATE    OUTBOX    │  engine: pure
//!  │ which file,  cut at the   which rule   instance,  enough? now, rendered, │
//!  │ from where   last newline hits what    stable id  later, over  paced     │
//!  └──────┬───────────────────────────────────────────────────────────┬───────┘
//!         │ Action::Files, Run, StopRun              Action::Commit, Post
//!  ┌──────▼───────────────────────────────────────────────────────────▼───────┐
//!  │ files        commands          clock            store               chat │  host: does
//!  └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Data moves one way. What comes back from the world enters again at the top as
//! a new input; nothing calls upwards. A line is forgotten only after all it
//! caused is safe on disk, and nothing is said before it is safe on disk.
//!
//! # Who may import whom
//!
//! ```text
//! main → cli → host → engine → rules → diagnostic → secrets
//! ```
//!
//! `rules` and `engine` are pure: no clock, no files, no network, no tasks, no
//! chance of their own. `cli` also uses them directly, and through `rehearsal`: the
//! engine on a stage, with a host that is pure as well. `probe`, which judges what the
//! built-in checks find, is pure too and knows nobody. `sandbox` stands apart:
//! only `cli` and the tests start it. `tests/agent/layering.rs` holds this table
//! against the `use` lines.

pub mod secrets;

pub mod diagnostic;

pub mod rules;

pub mod engine;

pub mod rehearsal;

pub mod probe;

pub mod host;

pub mod sandbox;

pub mod cli;
