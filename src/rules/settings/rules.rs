//! The rules of the settings and of all rule files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::Read;
use super::{Carried, Loader, SETTINGS};
use crate::diagnostic::{Place, Report, Span};
use crate::rules::Rule;
use crate::rules::check::{self, Context, Layers};
use crate::rules::conditions::inhibition;
use crate::rules::examples::{self, Subject};
use crate::rules::fields::{self, Fields};
use crate::rules::parse::{self, Entry, Node, Value};

impl Loader<'_> {
    pub(super) fn defaults<'n>(
        &mut self,
        entry: Option<&'n Entry>,
        context: &Context<'_>,
    ) -> Option<Fields<'n>> {
        let fields = Fields::read(&entry?.node, check::DEFAULTS, &mut self.report)?;
        check::defaults(&fields, context, &mut self.report);
        Some(fields)
    }

    /// Checks the rules of the settings and of all files; nothing if one is wrong.
    pub(super) fn rules(
        &mut self,
        entry: Option<&Entry>,
        files: &[Read],
        defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
    ) -> Option<Vec<Rule>> {
        let mut rules = Rules::default();
        if let Some(entry) = entry {
            self.rules_in(entry, None, defaults, context, &mut rules);
        }
        for file in files {
            self.rules_of_file(file, defaults, context, &mut rules);
        }
        let is_all = context.spaces.is_some();
        inhibition::check(&rules.keys, is_all, &rules.inhibitions, &mut self.report);
        if rules.n_written == 0 && !self.report.has_errors() {
            let path = self.config_path();
            let path = path.as_ref().or(self.request.rules.first());
            let place = path.map_or(Place::Nowhere, |path| Place::Named(self.shown(path)));
            self.report.no_rules(place);
        }
        (rules.good.len() == rules.n_written).then_some(rules.good)
    }

    fn rules_of_file(
        &mut self,
        file: &Read,
        defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
        rules: &mut Rules,
    ) {
        let start = Span {
            file: file.file,
            start: 0,
            end: 0,
        };
        let Some(root) = &file.root else {
            self.report.no_rules_in_file(start);
            return;
        };
        if let Some(entry) = settings_field(root) {
            self.report.settings_as_rules(entry.at, &entry.key);
            return;
        }
        let Some(fields) = Fields::read(root, check::RULE_FILE, &mut self.report) else {
            return;
        };
        let own_defaults = self.defaults(fields.get("defaults"), context);
        match fields.get("rules") {
            Some(entry) => self.rules_in(entry, own_defaults.as_ref(), defaults, context, rules),
            None => self.report.no_rules_in_file(fields.at),
        }
    }

    fn rules_in(
        &mut self,
        entry: &Entry,
        file_defaults: Option<&Fields<'_>>,
        settings_defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
        rules: &mut Rules,
    ) {
        let nodes = fields::list(entry, &mut self.report).unwrap_or_default();
        rules.n_written += nodes.len();
        for node in nodes {
            let Some(fields) = Fields::read(node, check::RULE, &mut self.report) else {
                continue;
            };
            let layers = Layers {
                rule: &fields,
                file: file_defaults,
                settings: settings_defaults,
            };
            let rule = check::rule(layers, context, &mut self.report);
            rules.note_inhibitors(&fields);
            // A key counts even if the rest of its rule is wrong.
            if let Some(entry) = fields.get("key")
                && let Some(scalar) = entry.node.as_scalar()
            {
                let at = fields::place_of(entry);
                match rules.keys.get(&scalar.text) {
                    Some(first) => self.report.duplicate_key(at, scalar.shown(), *first),
                    None => {
                        rules.keys.insert(scalar.text.clone(), at);
                    }
                }
            }
            let examples = fields
                .get("tests")
                .and_then(|entry| examples::read(entry, subject_of(&fields), &mut self.report));
            if let (Some(rule), Some(entry)) = (&rule, fields.get("key")) {
                self.carried.push(Carried {
                    key: rule.key.clone(),
                    at: fields::place_of(entry),
                    examples,
                });
            }
            rules.good.extend(rule);
        }
    }
}

/// The rules found so far.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) good: Vec<Rule>,
    n_written: usize,
    /// Where each key was first used.
    keys: BTreeMap<String, Span>,
    /// Who wants to be kept quiet by whom.
    inhibitions: Vec<inhibition::Wish>,
}

impl Rules {
    fn note_inhibitors(&mut self, rule: &Fields<'_>) {
        let key = rule.get("key").and_then(|entry| entry.node.as_scalar());
        let (Some(key), Some(entry)) = (key, rule.get("inhibited_by")) else {
            return;
        };
        // What is wrong with the texts themselves is said where the rule is read.
        let texts = fields::texts(entry, &mut Report::new()).unwrap_or_default();
        let wishes = texts.into_iter().map(|(node, by)| inhibition::Wish {
            key: key.text.clone(),
            by: by.to_owned(),
            shown: fields::shown(node).to_owned(),
            at: node.at,
        });
        self.inhibitions.extend(wishes);
    }
}

/// The rule that stands for every key of `logcrier exec` without one.
const EXEC_RULE: &str = "{key: exec, exec: true}";

/// Makes the rule of what `logcrier exec` tells under any key. What is wrong with the
/// defaults is said elsewhere.
pub(super) fn exec_rule(defaults: Option<&Fields<'_>>, context: &Context<'_>) -> Option<Arc<Rule>> {
    let mut quiet = Report::new();
    let file = quiet.add_file("exec", EXEC_RULE);
    let root = parse::parse(file, EXEC_RULE, &mut quiet)?;
    let fields = Fields::read(&root, check::RULE, &mut quiet)?;
    let layers = Layers {
        rule: &fields,
        file: None,
        settings: defaults,
    };
    check::rule(layers, context, &mut quiet).map(Arc::new)
}

/// What the tests of a rule can be about.
fn subject_of(rule: &Fields<'_>) -> Subject {
    let is_of_command = ["command", "shell", "exec"]
        .iter()
        .any(|name| rule.get(name).is_some());
    match (is_of_command, rule.get("match")) {
        (false, _) => Subject::Records,
        (true, Some(_)) => Subject::SearchedResults,
        (true, None) => Subject::Results,
    }
}

/// Returns a field that only settings have.
fn settings_field(root: &Node) -> Option<&Entry> {
    let Value::Map(entries) = &root.value else {
        return None;
    };
    entries.iter().find(|entry| {
        let name = entry.key.as_str();
        SETTINGS.fields.contains(&name) && !check::RULE_FILE.fields.contains(&name)
    })
}
