//! What settings and rules turn into when nothing is wrong with them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::Paint;
use crate::rules::paper::Paper;
use crate::rules::records::reading::ReadingKey;
use crate::rules::{Debounce, Files, From, Rule, RuleKey, Severity, SpaceName, ThreadMode};

const WEBHOOK: &str = "https://chat.googleapis.com/v1/spaces/AAA/messages?key=k&token=t%3D";

fn request() -> Request {
    Request {
        config: None,
        rules: Vec::new(),
        purpose: Purpose::Agent,
        machine_name: "web-03".into(),
        directory: "/home/me".into(),
    }
}

fn good(request: &Request, paper: &Paper) -> Settings {
    let loaded = load(request, paper);
    let said = loaded.report.render(Paint::Plain);
    loaded.settings.unwrap_or_else(|| panic!("{said}"))
}

/// Loads `text` as the settings at their usual place, with one space.
fn settings(text: &str) -> Settings {
    let text = format!("spaces: {{ops: {{webhook: '{WEBHOOK}'}}}}\n{text}");
    good(&request(), &Paper::default().with(CONFIG_DEFAULT, &text))
}

/// Loads a rule with these fields more.
fn rule(fields: &str) -> Arc<Rule> {
    let settings = settings(&format!(
        "rules:\n  - {{key: a, files: /var/log/a.log, match: 'x(?<n>.)', {fields}}}"
    ));
    Arc::clone(&settings.rule_set.rules[0])
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

#[test]
fn what_is_not_said_is_as_documented() {
    let rule = rule("");
    assert_eq!(rule.key, RuleKey::new("a"));
    assert_eq!(rule.severity, Severity::Warning);
    assert_eq!(rule.from, From::End);
    assert_eq!(rule.thread, ThreadMode::Rule);
    assert_eq!(
        rule.debounce,
        Debounce::Window {
            every: minutes(5),
            max: minutes(60)
        }
    );
    assert_eq!(rule.spaces, [SpaceName::new("ops")]);
    assert!(rule.by.is_empty() && rule.labels.is_empty());
    assert!(rule.title.is_none() && rule.text.is_none() && rule.runbook.is_none());
    let settings = settings("rules: [{key: a, files: /a, match: x}]");
    assert_eq!(settings.rule_set.host, "web-03");
    assert_eq!(settings.rule_set.default_space, Some(SpaceName::new("ops")));
    assert_eq!(settings.watch, Watch::Auto);
    assert_eq!(settings.state_dir, None);
    let space = &settings.rule_set.spaces[&SpaceName::new("ops")];
    assert_eq!(space.pace, Duration::from_secs(1));
    assert_eq!(space.webhook.expose(), WEBHOOK);
}

#[test]
fn debounce_has_many_spellings() {
    for (text, expected) in [
        ("5m", Some((5, 60))),
        ("2h", Some((120, 120))),
        ("{every: 10m, max: 20m}", Some((10, 20))),
        ("{every: 10m}", Some((10, 60))),
        ("{every: 2h}", Some((120, 120))),
        ("{max: 5m}", Some((5, 5))),
        ("none", None),
    ] {
        let expected = match expected {
            Some((every, max)) => Debounce::Window {
                every: minutes(every),
                max: minutes(max),
            },
            None => Debounce::None,
        };
        assert_eq!(
            rule(&format!("debounce: {text}")).debounce,
            expected,
            "{text}"
        );
    }
}

#[test]
fn fields_mean_what_they_say() {
    let rule = rule(
        "exclude_files: '*.gz', from: beginning, except: [y, z], ignore_case: true, by: n, \
         severity: critical, thread: instance, space: [ops], title: '{{ n }}', \
         text: '{{ title }}: {{ captures.n }}', \
         runbook: 'https://wiki/a b|c>d', labels: {team: x, tier: 1}",
    );
    assert_eq!(rule.files.include[0].as_str(), "/var/log/a.log");
    assert_eq!(rule.files.exclude[0].as_str(), "/etc/logcrier/*.gz");
    assert_eq!(rule.from, From::Beginning);
    assert!(rule.patterns.matches[0].is_found_in(b"aX1"));
    assert!(rule.patterns.excepts[1].is_found_in(b"Z"));
    assert_eq!(rule.by, ["n"]);
    assert_eq!(rule.severity, Severity::Critical);
    assert_eq!(rule.thread, ThreadMode::Instance);
    assert_eq!(rule.runbook.as_deref(), Some("https://wiki/a%20b%7Cc%3Ed"));
    assert_eq!(rule.labels["tier"], "1");
}

#[test]
fn ignoring_case_holds_for_all_alternatives() {
    let rule = rule("except: 'a|b', ignore_case: true");
    assert!(rule.patterns.excepts[0].is_found_in(b"B"));
}

#[test]
fn the_nearest_default_wins_and_labels_add_up() {
    let main = format!(
        "spaces: {{ops: {{webhook: '{WEBHOOK}'}}, dev: {{webhook: '{WEBHOOK}'}}}}
labels: {{env: prod, a: settings}}
defaults: {{space: dev, severity: info, debounce: none, labels: {{a: defaults, b: defaults}}}}
rule_files: [rules.d/*.yaml]
rules: [{{key: main, files: /a, match: x}}]"
    );
    let file = "defaults: {severity: error, labels: {b: file, c: file}}
rules:
  - {key: own, files: a.log, match: x, severity: critical, labels: {c: own}}
  - {key: plain, files: a.log, match: x}";
    let paper = Paper::default()
        .with(CONFIG_DEFAULT, &main)
        .with("/etc/logcrier/rules.d/a.yaml", file);
    let set = good(&request(), &paper).rule_set;
    let severities: Vec<(&str, Severity)> = set
        .rules
        .iter()
        .map(|rule| (rule.key.as_str(), rule.severity))
        .collect();
    assert_eq!(
        severities,
        [
            ("main", Severity::Info),
            ("own", Severity::Critical),
            ("plain", Severity::Error),
        ]
    );
    let own = set.rule(&RuleKey::new("own")).unwrap();
    let labels: Vec<(&str, &str)> = own
        .labels
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        labels,
        [
            ("a", "defaults"),
            ("b", "file"),
            ("c", "own"),
            ("env", "prod")
        ]
    );
    assert_eq!(own.debounce, Debounce::None);
    assert_eq!(own.spaces, [SpaceName::new("dev")]);
    assert_eq!(own.files.include[0].as_str(), "/etc/logcrier/rules.d/a.log");
    assert_eq!(set.default_space, Some(SpaceName::new("dev")));
    let [one, other] = ["ops", "dev"].map(|name| &set.spaces[&SpaceName::new(name)]);
    assert_eq!(one.webhook.pacer(), other.webhook.pacer());
}

#[test]
fn what_defaults_say_of_files_is_not_meant_for_standard_input() {
    let settings = settings(
        "defaults: {from: end, encoding: utf-16le, exclude_files: ['/**/*']}\n\
         rules: [{key: a, stdin: true, match: x}]",
    );
    let rule = &settings.rule_set.rules[0];
    assert!(rule.is_of_stdin() && settings.rule_set.has_stdin());
    assert_eq!(rule.files, Files::stdin());
    assert_eq!(rule.from, From::Beginning);
    assert_eq!(rule.reading.key(), ReadingKey::default());
}

#[test]
fn a_sidecar_needs_no_settings() {
    let paper = Paper::default()
        .with("$LOGCRIER_WEBHOOK", WEBHOOK)
        .with("$LOGCRIER_WATCH", "poll")
        .with(
            "/home/me/rules.yaml",
            "rules: [{key: a, files: app.log, match: x}]",
        );
    let request = Request {
        rules: vec!["rules.yaml".into()],
        ..request()
    };
    let settings = good(&request, &paper);
    assert_eq!(settings.watch, Watch::Poll);
    assert_eq!(
        settings.rule_set.default_space,
        Some(SpaceName::new("default"))
    );
    let rule = &settings.rule_set.rules[0];
    assert_eq!(rule.spaces, [SpaceName::new("default")]);
    assert_eq!(rule.files.include[0].as_str(), "/home/me/app.log");
}

#[test]
fn the_file_names_the_default_space_first() {
    let other = "https://chat.googleapis.com/v1/spaces/BBB/messages?key=k&token=t";
    let text = format!(
        "spaces: {{default: {{webhook: '{WEBHOOK}'}}}}\nrules: [{{key: a, files: /a, match: x}}]"
    );
    let paper = Paper::default()
        .with(CONFIG_DEFAULT, &text)
        .with("$LOGCRIER_WEBHOOK", other);
    let set = good(&request(), &paper).rule_set;
    assert_eq!(set.spaces.len(), 1);
    assert_eq!(
        set.spaces[&SpaceName::new("default")].webhook.expose(),
        WEBHOOK
    );
}

#[test]
fn webhooks_come_from_files_and_variables() {
    let text = "spaces:
  cred: {webhook_file: ops.webhook}
  near: {webhook_file: near.webhook}
  env: {webhook: '${OPS}', pace: 2s}
defaults: {space: env}
host: ${HOST:-box}-$$1
state_dir: state
rules: [{key: a, files: /a, match: 'x$'}]";
    let paper = Paper::default()
        .with("/conf/main.yaml", &format!("\u{feff}{text}"))
        .with("$CREDENTIALS_DIRECTORY", "/run/creds")
        .with("/run/creds/ops.webhook", &format!("{WEBHOOK}\n"))
        .with("/conf/near.webhook", WEBHOOK)
        .with("$OPS", WEBHOOK);
    let request = Request {
        config: Some("/conf/main.yaml".into()),
        ..request()
    };
    let settings = good(&request, &paper);
    for space in settings.rule_set.spaces.values() {
        assert_eq!(space.webhook.expose(), WEBHOOK);
    }
    assert_eq!(settings.rule_set.host, "box-$1");
    assert_eq!(settings.state_dir, Some("/conf/state".into()));
    assert_eq!(
        settings.rule_set.rules[0].patterns.matches[0].as_str(),
        "x$"
    );
    assert!(!format!("{settings:?}").contains("token"));
}

#[test]
fn rule_files_alone_may_name_any_space() {
    let text = "rules:
  - {key: a, files: /a, match: x, space: anything}
  - {key: b, files: /a, match: x, title: '{{ labels.team }}'}";
    let paper = Paper::default()
        .with(CONFIG_DEFAULT, "broken: [")
        .with("/home/me/a.yaml", text);
    let request = Request {
        rules: vec!["a.yaml".into()],
        purpose: Purpose::LoneRules,
        ..request()
    };
    let set = good(&request, &paper).rule_set;
    assert_eq!(set.rules[0].spaces, [SpaceName::new("anything")]);
    assert_eq!(set.rules[1].spaces, [SpaceName::new("default")]);
}

#[test]
fn a_file_named_twice_is_read_once() {
    let text = format!(
        "spaces: {{ops: {{webhook: '{WEBHOOK}'}}}}\nrule_files: [r/*.yaml, r/a.yaml, '/etc/logcrier/r/a*']"
    );
    let paper = Paper::default().with(CONFIG_DEFAULT, &text).with(
        "/etc/logcrier/r/a.yaml",
        "rules: [{key: a, files: /a, match: x}]",
    );
    assert_eq!(good(&request(), &paper).rule_set.rules.len(), 1);
}

proptest! {
    #[test]
    fn no_settings_make_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "spaces:\n", "rules:\n", "defaults:\n", "  - ", "    ", "key: a\n", "match: '(?<a>x'\n",
        "files: [", "]\n", "title: '{{ a '\n", "debounce: {every: 5}\n", "labels: {a: }\n", "a: ",
        "&x ", "*x\n", "webhook: https://h/?\n", "${A}\n", "${\n", "by: []\n", "space: a\n", "\n",
        "severity: é\n", "host: 1\n", "rule_files: '**'\n", "runbook: https://\n", "watch: ~\n",
    ]), 0..25)) {
        let text = parts.concat();
        let paper = Paper::default()
            .with(CONFIG_DEFAULT, &text)
            .with("/home/me/r.yaml", &text);
        let request = Request { rules: vec!["r.yaml".into()], ..request() };
        let loaded = load(&request, &paper);
        let said = loaded.report.render(Paint::Plain);
        prop_assert_eq!(loaded.settings.is_none(), loaded.report.has_errors(), "{}", said);
    }
}

/// The settings as the packages install them.
const PACKAGED: &str = include_str!("../../../packaging/logcrier.yaml");

#[test]
fn the_packaged_settings_want_nothing_but_a_webhook() {
    let request = Request {
        directory: "/".into(),
        ..request()
    };
    let rules = "rules: [{key: a, files: /a, match: x}]";
    let paper = Paper::default()
        .with(CONFIG_DEFAULT, PACKAGED)
        .with("/etc/logcrier/rules.d/a.yaml", rules);
    let said = load(&request, &paper).report.render(Paint::Plain);
    assert!(
        said.starts_with("/etc/logcrier/logcrier.yaml: error: no space to post to"),
        "{said}"
    );
    assert_eq!(said.matches("error:").count(), 1, "{said}");
    // As their first lines tell to do it.
    let begun = (PACKAGED.replace("\n#spaces:\n#  ops:\n", "\nspaces:\n  ops:\n"))
        .replace("\n#    webhook_file:", "\n    webhook_file:");
    let paper = paper
        .with(CONFIG_DEFAULT, &begun)
        .with("/etc/logcrier/ops.webhook", WEBHOOK);
    let settings = good(&request, &paper);
    assert_eq!(settings.rule_set.default_space, Some(SpaceName::new("ops")));
    assert_eq!(settings.state_dir, Some("/var/lib/logcrier".into()));
}

#[test]
fn the_packaged_settings_explain_every_field() {
    for field in SETTINGS.fields {
        let is_there = ["\n", "\n#"]
            .iter()
            .any(|start| PACKAGED.contains(&format!("{start}{field}:")));
        assert!(
            is_there,
            "packaging/logcrier.yaml says nothing of `{field}`"
        );
    }
}
