//! The spaces of the settings, and their webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Loader;
use super::fallbacks::{self, Wish};
use crate::diagnostic::Place;
use crate::rules::fields::{self, Fields, Known};
use crate::rules::parse::{Entry, Value};
use crate::rules::{SPACE_DEFAULT, Space, SpaceName, webhook};

/// The variable that holds the webhook of the space `default`.
const WEBHOOK_VARIABLE: &str = "LOGCRIER_WEBHOOK";

/// The variable with the directory of a unit's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The pace of a space that says nothing about it: Google Chat's quota.
const PACE_DEFAULT: Duration = Duration::from_secs(1);

/// The smallest pace.
const PACE_MIN: Duration = Duration::from_millis(10);

/// The bytes the name of a space may have.
const SPACE_NAME_BYTES_MAX: usize = 63;

/// The fields of a space.
pub(in crate::rules) const SPACE: Known = Known {
    what: "a space",
    fields: &["fallback", "pace", "webhook", "webhook_file"],
};

/// The spaces there are, and those among them that are good.
#[derive(Default)]
pub(super) struct Spaces {
    pub(super) names: BTreeSet<SpaceName>,
    pub(super) good: BTreeMap<SpaceName, Space>,
}

impl Loader<'_> {
    pub(super) fn spaces(&mut self, entry: Option<&Entry>) -> Spaces {
        let mut spaces = Spaces::default();
        let mut wishes = Vec::new();
        let entries = entry
            .and_then(|entry| fields::entries_of(&entry.node, "`spaces`", &mut self.report))
            .unwrap_or_default();
        for (name, entry) in entries {
            let is_name = name.len() <= SPACE_NAME_BYTES_MAX
                && name.starts_with(|char: char| char.is_ascii_alphanumeric())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            if !is_name {
                self.report.not_a_space_name(entry.at);
                continue;
            }
            let name = SpaceName::new(name);
            if let Some(space) = self.space(&name, entry, &mut wishes) {
                spaces.good.insert(name.clone(), space);
            }
            spaces.names.insert(name);
        }
        let default = SpaceName::new(SPACE_DEFAULT);
        if let (false, Some(address)) = (
            spaces.names.contains(&default),
            self.surroundings.variable(WEBHOOK_VARIABLE),
        ) {
            match webhook::check(&address) {
                Ok(webhook) => {
                    let pace = PACE_DEFAULT;
                    let space = Space {
                        webhook,
                        pace,
                        fallback: None,
                    };
                    spaces.good.insert(default.clone(), space);
                }
                Err(mistake) => self.report.bad_webhook(
                    Place::Named(WEBHOOK_VARIABLE.into()),
                    mistake.reason,
                    mistake.hint,
                ),
            }
            spaces.names.insert(default);
        }
        fallbacks::join(&mut spaces, wishes, &mut self.report);
        spaces
    }

    fn space(&mut self, name: &SpaceName, entry: &Entry, wishes: &mut Vec<Wish>) -> Option<Space> {
        let what = format!("the space `{name}`");
        if !matches!(entry.node.value, Value::Map(_)) {
            let at = fields::place_of(entry);
            self.report
                .wrong_kind(at, &what, "a map", entry.node.kind());
            return None;
        }
        let fields = Fields::read(&entry.node, SPACE, &mut self.report)?;
        let pace = fields.get("pace").map(|entry| self.pace(entry));
        if let Some(entry) = fields.get("fallback") {
            let fallback = fields::text(entry, &mut self.report);
            wishes.extend(fallback.map(|fallback| Wish {
                space: name.clone(),
                fallback: SpaceName::new(fallback),
                shown: fields::shown(&entry.node).to_owned(),
                at: fields::place_of(entry),
            }));
        }
        let (address, entry, holder) = match (fields.get("webhook"), fields.get("webhook_file")) {
            (Some(entry), None) => {
                let address = fields::text(entry, &mut self.report)?.to_owned();
                let scalar = entry.node.as_scalar();
                let is_variable = scalar.is_some_and(|scalar| scalar.written.is_some());
                let holder = self.config_path().filter(|_| !is_variable);
                (address, entry, holder)
            }
            (None, Some(entry)) => {
                let (address, holder) = self.webhook_file(entry)?;
                (address, entry, Some(holder))
            }
            (Some(_), Some(file)) => {
                self.report.two_webhooks(file.at, name.as_str());
                return None;
            }
            (None, None) => {
                self.report.no_webhook(entry.at, name.as_str());
                return None;
            }
        };
        let at = fields::place_of(entry);
        let webhook = match webhook::check(&address) {
            Ok(webhook) => webhook,
            Err(mistake) => {
                self.report.bad_webhook(at, mistake.reason, mistake.hint);
                return None;
            }
        };
        if let Some(holder) = holder
            && !webhook.is_loopback()
            && self.surroundings.is_exposed(&holder)
        {
            let shown = self.shown_for(&entry.node, &holder);
            self.report.exposed_webhook(at, &shown);
        }
        let pace = match pace {
            Some(pace) => pace?,
            None => PACE_DEFAULT,
        };
        if let Some(entry) = fields.get("pace")
            && pace < PACE_DEFAULT
            && webhook::is_google_chat(&webhook)
        {
            self.report.pace_above_quota(fields::place_of(entry));
        }
        Some(Space {
            webhook,
            pace,
            fallback: None,
        })
    }

    fn pace(&mut self, entry: &Entry) -> Option<Duration> {
        let pace = fields::duration(entry, &mut self.report)?;
        if pace < PACE_MIN {
            let at = fields::place_of(entry);
            self.report.pace_too_small(at, PACE_MIN.as_millis());
            return None;
        }
        Some(pace)
    }

    /// Reads an address from the file that holds it, and returns both.
    fn webhook_file(&mut self, entry: &Entry) -> Option<(String, PathBuf)> {
        let name = fields::text(entry, &mut self.report)?;
        let at = fields::place_of(entry);
        let directory = self.directories.get(&at.file).cloned().unwrap_or_default();
        let credential = self
            .surroundings
            .variable(CREDENTIALS_VARIABLE)
            .filter(|_| !name.contains('/'))
            .map(|directory| Path::new(&directory).join(name))
            .filter(|path| self.surroundings.exists(path));
        let path = credential.unwrap_or_else(|| directory.join(name));
        let address = self.content(&path, Some(&entry.node))?;
        Some((address, path))
    }
}
