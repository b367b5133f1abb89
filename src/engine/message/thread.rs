//! The thread that a message belongs to.

use jiff::tz::TimeZone;

use super::draft::{Course, Reason};
use super::phrases::zoned;
use crate::engine::events::{InstanceId, OTHERS};
use crate::engine::identity::fingerprint;
use crate::engine::time::Wall;
use crate::rules::{Rule, ThreadMode};

/// Characters of a thread key made of values. Chat takes 4,000.
const THREAD_KEY_CHARS_MAX: usize = 200;

/// The key of the thread that a message of an instance belongs to.
pub fn thread_key(
    rule: &Rule,
    instance: &InstanceId,
    opened: Wall,
    now: Wall,
    zone: &TimeZone,
    reason: Reason,
) -> Option<String> {
    let key = rule.key.as_str();
    // The end of an incident belongs to where it began.
    let day = match reason.course() {
        Course::Over | Course::Mended | Course::Dropped => opened,
        Course::Lasts | Course::Flapping | Course::Steady | Course::Broken => now,
    };
    match rule.thread {
        ThreadMode::None => None,
        ThreadMode::Rule => Some(key.to_owned()),
        ThreadMode::Instance if instance.by.is_empty() => Some(key.to_owned()),
        ThreadMode::Instance => {
            let is_shared = instance.by.iter().all(|value| value == OTHERS);
            let values = match is_shared {
                true => OTHERS.to_owned(),
                false => instance.by.join("/"),
            };
            // Of several values none may hold what parts them, or a log could choose
            // somebody else's thread.
            let is_parted =
                instance.by.len() == 1 || instance.by.iter().all(|value| !value.contains('/'));
            let readable = is_parted
                && values.chars().all(|c| c.is_ascii_graphic())
                && key.len() + 1 + values.len() <= THREAD_KEY_CHARS_MAX;
            Some(match readable {
                true => format!("{key}/{values}"),
                false => {
                    let apart = instance.by.join("\0");
                    format!("{key}/{:016x}", fingerprint(apart.as_bytes()))
                }
            })
        }
        ThreadMode::Incident => Some(format!(
            "{key}@{}",
            zoned(opened, zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z")
        )),
        ThreadMode::Day => Some(format!("{key}@{}", zoned(day, zone).strftime("%Y-%m-%d"))),
    }
}
