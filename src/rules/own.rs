//! The agent's own rules: its troubles are events like any other.
//!
//! Nobody writes them and nobody can name a rule like them. They post to
//! `defaults.space`; without one, troubles are in the log only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::conditions::Conditions;
use super::pattern::Patterns;
use super::records::conditions::Where;
use super::records::reading::Reading;
use super::records::searcher::{Context, Kept};
use super::{Debounce, Files, FormatAs, From, Rule, RuleKey, Severity, SpaceName, ThreadMode};

/// What keys of own rules begin with.
pub const PREFIX: &str = "logcrier.";

/// How long the same trouble is only counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// What an own rule watches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Own {
    /// Files and commands that should be read.
    Source,
    /// Spaces that should be posted to.
    Delivery,
    /// The state on disk.
    State,
}

impl Own {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Source, Self::Delivery, Self::State];

    /// The key of its rule.
    pub fn key(self) -> RuleKey {
        RuleKey::new(match self {
            Self::Source => "logcrier.source",
            Self::Delivery => "logcrier.delivery",
            Self::State => "logcrier.state",
        })
    }

    /// What tells its instances apart, as messages name it.
    pub fn by(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Delivery => "space",
            Self::State => "state",
        }
    }

    fn rule(self, space: &SpaceName) -> Rule {
        Rule {
            key: self.key(),
            check: None,
            journal: None,
            conditions: Conditions::default(),
            repeat: Vec::new(),
            files: Files {
                include: Vec::new(),
                exclude: Vec::new(),
            },
            from: From::End,
            reading: Reading::default(),
            patterns: Patterns {
                matches: Vec::new(),
                excepts: Vec::new(),
            },
            filter: Where::default(),
            kept: Kept::default(),
            context: Context::default(),
            by: vec![self.by().to_owned()],
            severity: Severity::Error,
            severity_of: None,
            debounce: Debounce::Window {
                every: WINDOW,
                max: WINDOW,
            },
            spaces: vec![space.clone()],
            thread: ThreadMode::Rule,
            title: None,
            text: None,
            format_as: FormatAs::Text,
            mention: Vec::new(),
            runbook: None,
            labels: BTreeMap::new(),
        }
    }
}

/// The own rules of an agent that posts its troubles to `space`.
pub fn rules(space: Option<&SpaceName>) -> Vec<Arc<Rule>> {
    (space.into_iter())
        .flat_map(|space| Own::ALL.map(|own| Arc::new(own.rule(space))))
        .collect()
}
