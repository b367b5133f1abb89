//! The one integration binary: its table of contents.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod layering;

mod situations;

mod rules;
mod schema;

mod replay;

mod diagnostics;

mod messages;

mod wordings;

mod threads;

mod counted;

mod world;

mod simulation;

mod scenarios;

mod following;

mod checks;

mod conditions;

mod sandbox;

mod commands;

mod process;

mod records;

mod watching;

mod kernel;

mod amounts;

mod idle;

mod archives;

mod hostile;

mod stubborn;

mod probes;

mod journal;

mod status;

mod silence;

mod crash;

mod support;

mod ways;
