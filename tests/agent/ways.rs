//! Tests that are made twice: with the kernel's hints, and without.

use crate::support::{COUNTED, Log, Space, World};

/// How the agent learns that something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The kernel tells.
    Inotify,
    /// It looks again and again.
    Polling,
}

impl Way {
    /// A world of these rules, whose agent learns in this way.
    pub(crate) fn world(self, space: &Space, rules: &str) -> World {
        let mut world = World::new(space, rules);
        self.choose(&mut world);
        world
    }

    /// An agent that runs by [`COUNTED`] and learns in this way, its space, and the log
    /// that it follows.
    pub(crate) fn running(self) -> (Space, World, Log) {
        let space = Space::new();
        let mut world = self.world(&space, COUNTED);
        let log = world.log("app.log");
        world.start();
        (space, world, log)
    }

    /// From now on the agent of a world learns in this way.
    pub(crate) fn choose(self, world: &mut World) {
        let value = match self {
            Self::Inotify => "auto",
            Self::Polling => "poll",
        };
        world.environment.push(("LOGCRIER_WATCH", value.to_owned()));
    }
}

/// Makes two tests of each function: with inotify, and with polling.
macro_rules! both_ways {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod inotify {
            $($(#[$meta])* #[test] fn $name() { super::$name(crate::ways::Way::Inotify); })+
        }
        mod polling {
            $($(#[$meta])* #[test] fn $name() { super::$name(crate::ways::Way::Polling); })+
        }
    };
}
pub(crate) use both_ways;
