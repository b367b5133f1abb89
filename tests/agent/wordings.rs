//! What is left of a message where there is little room: long texts, many instances in
//! one message, and what is said once more after a space refused it.

use std::sync::Arc;

use logcrier::engine::checks::finding::{self, Ran};
use logcrier::engine::commit::{Kind, MessageRecord, MessageState, Part};
use logcrier::engine::digest;
use logcrier::engine::events::{Event, EventId, InstanceId};
use logcrier::engine::ids::MessageId;
use logcrier::engine::message::{self, Draft, Reason, Tally};
use logcrier::rules::{Rule, RuleKey, RuleSet, Severity, SpaceName};
use logcrier::sandbox::contract;

use crate::messages::{NOON, event, rule, seconds_after_noon, surface, word};
use crate::support::rules_of;

/// The text of a body that Chat takes.
fn text_of(body: &str) -> String {
    assert_eq!(contract::judge(body), [] as [&str; 0]);
    let mut json: serde_json::Value = serde_json::from_str(body).unwrap();
    json["text"].take().as_str().unwrap().to_owned()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A message about one event of a rule with these fields.
fn first(fields: &str, line: &str, reason: Reason) -> (String, Draft, InstanceId) {
    let rule = rule(fields);
    let first = event(&rule, line, &[("ip", "192.0.2.7")], "/a.log", NOON);
    let draft = Draft {
        reason,
        tally: Tally::of(&first),
        total: 1,
        since: NOON,
        until: None,
    };
    let body = word(&rule, &first.instance, &draft);
    (text_of(&body), draft, first.instance)
}

#[test]
fn an_own_text_that_is_too_long_is_cut() {
    let wide = "\u{1f600}".repeat(1_000);
    for format in ["text", "card"] {
        let fields = |n| format!("format_as: {format}, text: '{}'", "{{ line }}".repeat(n));
        let n_shown = |n| {
            let (text, ..) = first(&fields(n), &wide, Reason::First);
            assert!(units(&text) <= 4_000, "{format} {n}: {}", units(&text));
            text.matches('\u{1f600}').count()
        };
        assert_eq!(n_shown(1), 1_000, "{format}");
        // Two units each: three thousand of them are no message.
        assert_eq!(n_shown(4), 749, "{format}");
    }
}

#[test]
fn of_many_values_some_are_shown_in_the_title() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let captures: String = names.map(|name| format!("(?<{name}>x)")).concat();
    let text = format!(
        "rules: [{{key: many, files: /a, match: '{captures}', by: [{}]}}]",
        names.join(", ")
    );
    let rule = rules_of(&text).rules[0].clone();
    let value = "x".repeat(58);
    let captures = names.map(|name| (name, value.as_str()));
    let first = event(&rule, "line", &captures, "/a.log", NOON);
    let draft = Draft {
        reason: Reason::First,
        tally: Tally::of(&first),
        total: 1,
        since: NOON,
        until: None,
    };
    let text = text_of(&word(&rule, &first.instance, &draft));
    let title = text.lines().next().unwrap();
    let pairs: String = ["a", "b", "c"]
        .map(|name| format!(" `{name}={value}`"))
        .concat();
    assert_eq!(title, format!("⚠\u{fe0f} *warning* `many`{pairs} …"));
}

/// What comes of a command that fails and says this.
fn judged(fields: &str, said: &str) -> (Arc<Rule>, Draft, InstanceId) {
    let text = format!("rules: [{{key: root-disk, command: [df], every: 5m, {fields}}}]");
    let rule = rules_of(&text).rules[0].clone();
    let check = rule.check.as_ref().unwrap();
    let judged = finding::judge(&rule, &check.status, &Ran::exited(2, said), &Arc::default());
    let event = Event {
        id: EventId(1),
        instance: InstanceId::of(&rule, &judged.sample),
        severity: Severity::Error,
        at: NOON,
        sample: judged.sample,
        source: "df".into(),
        besides: None,
    };
    let draft = Draft {
        reason: Reason::First,
        tally: Tally::of(&event),
        total: 1,
        since: NOON,
        until: None,
    };
    (rule, draft, event.instance)
}

#[test]
fn what_a_command_found_can_be_worded_and_is_said_plainly_where_it_must() {
    let fields = "status: nagios, text: '{{ exit_status }} {{ perf.load }} {{ output }}'";
    let (rule, draft, instance) = judged(fields, "it is full | load=1.5s;2;3");
    let text = text_of(&word(&rule, &instance, &draft));
    assert!(text.contains("\n2 1.5s it is full"), "{text}");
    let plain = text_of(&message::word_plain(&instance, &draft, &surface()));
    assert_eq!(
        plain,
        "root-disk on web-03: error, 1 error event(s)\nit is full"
    );
}

#[test]
fn a_line_of_output_that_a_rule_selects_says_how_much_more_there_is() {
    let fields = "match: 'bad (?<what>\\w+)', where: {what: disk}";
    let said = format!("fine\nbad tape\nbad disk {}\nbad fan", "x".repeat(1_000));
    let (_, draft, _) = judged(fields, &said);
    let sample = &draft.tally.latest.sample;
    assert!(sample.line.starts_with("bad disk x"), "{}", sample.line);
    assert_eq!((sample.line.len(), sample.n_more_bytes), (1_000, 9));
    assert_eq!(sample.capture("what"), Some("disk"));
}

#[test]
fn a_message_that_was_refused_is_said_in_plain_words() {
    let beats = "absent: {for: 26h}";
    let ends = "resolve: {match: fine}";
    for (fields, reason, expected) in [
        (
            "severity: error",
            Reason::First,
            "ssh on web-03: 1 error event(s)\nit *broke*",
        ),
        (
            beats,
            Reason::Absent,
            "ssh on web-03: nothing came, 1 warning event(s)\nit *broke*",
        ),
        (
            ends,
            Reason::Resolved,
            "ssh on web-03: resolved, 1 warning event(s)\nit *broke*",
        ),
        (
            ends,
            Reason::Flapping,
            "ssh on web-03: flapping, warning, 1 warning event(s)\nit *broke*",
        ),
    ] {
        let (_, draft, instance) = first(fields, "it *broke*", reason);
        let plain = text_of(&message::word_plain(&instance, &draft, &surface()));
        assert_eq!(plain, expected.replace('*', "∗"));
    }
}

#[test]
fn what_somebody_writes_by_hand_is_shown_as_far_as_it_fits() {
    let short = text_of(&message::word_by_hand(
        "disk *full*\n<users/all>",
        &surface(),
    ));
    assert_eq!(short, "`web-03`\ndisk ∗full∗\n< users/all>");
    let long = text_of(&message::word_by_hand(&"x".repeat(5_000), &surface()));
    let n_shown = long.matches('x').count();
    assert_eq!(n_shown, 3_750);
    assert!(long.ends_with("x…"), "{long}");
    let longer = text_of(&message::word_by_hand(
        &"\u{1f600}".repeat(50_000),
        &surface(),
    ));
    assert!((1_400..2_000).contains(&longer.chars().count()), "{longer}");
}

/// Rules with and without values.
fn rules() -> RuleSet {
    rules_of(
        "rules:\n\
         - {key: ssh, files: /a, match: '(?<ip>x) (?<user>y)', by: [ip, user]}\n\
         - {key: disk, files: /a, match: '(?<name>x)', by: [name]}\n\
         - {key: web, files: /a, match: x}\n",
    )
}

fn part(rule: &str, by: &[&str], count: u64, worst: Severity, secs: i64) -> Part {
    Part {
        instance: InstanceId {
            rule: RuleKey::new(rule),
            by: by.iter().map(|value| (*value).to_owned()).collect(),
        },
        count,
        last: seconds_after_noon(secs),
        worst,
        newest: MessageId(1),
    }
}

/// A message that was made of others, of each of which this is said.
fn gathered(kind: Kind, parts: Vec<Part>) -> MessageRecord {
    let rule = rule("thread: rule");
    let first = event(
        &rule,
        "the last line",
        &[("ip", "192.0.2.7")],
        "/a.log",
        NOON,
    );
    let mut tally = Tally::of(&first);
    tally.count = parts.iter().map(|part| part.count).sum();
    tally.last = parts.iter().map(|part| part.last).max().unwrap();
    tally.worst = parts.iter().map(|part| part.worst).max().unwrap();
    MessageRecord {
        id: MessageId(1),
        space: SpaceName::new("ops"),
        meant_for: None,
        kind,
        instance: first.instance,
        thread_key: Some("ssh".to_owned()),
        request_id: String::new(),
        born: NOON,
        draft: Draft {
            reason: Reason::Summary,
            total: tally.count,
            tally,
            since: NOON,
            until: None,
        },
        parts,
        state: MessageState::Waiting,
    }
}

fn told(message: &MessageRecord) -> String {
    let worded = digest::word(&rules(), message, seconds_after_noon(60), &surface());
    assert_eq!(worded.fault, None);
    text_of(&worded.body)
}

fn told_plainly(message: &MessageRecord) -> String {
    text_of(&digest::word_plain(&rules(), message, &surface()))
}

fn few() -> Vec<Part> {
    vec![
        part("ssh", &["192.0.2.7", "root"], 1_200, Severity::Warning, 10),
        part("ssh", &["192.0.2.8", "bob"], 300, Severity::Warning, 20),
        part("disk", &["/"], 1, Severity::Error, 30),
        part("web", &[], 40, Severity::Warning, 40),
    ]
}

#[test]
fn a_digest_shows_something_of_every_rule_the_worst_first() {
    let message = gathered(Kind::Digest, few());
    assert_eq!(
        told(&message),
        "🔴 *Digest: 1,541 events of 3 rules*\n\
         `web-03` · 12:00:00–12:00:40 · more waits than the space can take, so this is one \
         message for all\n\
         ssh 1,500, web 40, disk 1\n\
         ```\n\
         \u{20}   1  12:00:30  error    disk name=/\n\
         1,200  12:00:10  warning  ssh ip=192.0.2.7 user=root\n\
         \u{20}  40  12:00:40  warning  web\n\
         \u{20} 300  12:00:20  warning  ssh ip=192.0.2.8 user=bob\n\
         ```"
    );
    assert_eq!(
        told_plainly(&message),
        "Digest: 1,541 events of 3 rules on web-03\nssh 1,500, web 40, disk 1"
    );
    let message = gathered(Kind::CatchUp, few()[..2].to_vec());
    assert_eq!(
        told(&message),
        "⚠\u{fe0f} *while the agent was down, 12:00–12:00: 1,500 events of 1 rule*\n\
         `web-03`\n\
         ```\n\
         1,200  12:00:10  warning  ssh ip=192.0.2.7 user=root\n\
         \u{20} 300  12:00:20  warning  ssh ip=192.0.2.8 user=bob\n\
         ```"
    );
    let message = MessageRecord {
        meant_for: Some(SpaceName::new("dev")),
        ..message
    };
    assert!(told(&message).starts_with("[dev] ⚠"));
    assert!(told_plainly(&message).starts_with("[dev] Digest: "));
}

#[test]
fn a_thread_names_its_instances() {
    let message = gathered(Kind::Thread, few()[..2].to_vec());
    assert_eq!(
        told(&message),
        "⚠\u{fe0f} *warning* `ssh` `ip=192.0.2.7`\n\
         `web-03` · `/a.log`\n\
         *+1,500 more* in 20 s, 12:00:00–12:00:20, last:\n\
         ```\n\
         the last line\n\
         ```\n\
         `ip=192.0.2.7 user=root 1,200, ip=192.0.2.8 user=bob 300`"
    );
    assert_eq!(
        told_plainly(&message),
        "ssh on web-03: 1,500 warning event(s)\n\
         the last line\n\
         ip=192.0.2.7 user=root 1,200, ip=192.0.2.8 user=bob 300"
    );
    let folded = gathered(Kind::Folded, few()[..2].to_vec());
    assert!(told(&folded).ends_with("\n_more waited than is kept apart: only counted_"));
}

/// Values that take all the room there is.
fn many(n_parts: usize) -> Vec<Part> {
    let all = (0..n_parts as u64).map(|n| {
        let value = format!("{n:03}{}", "\u{1f600}".repeat(80));
        part("disk", &[&value], 1_000 + n, Severity::Warning, 5)
    });
    all.collect()
}

#[test]
fn what_a_gathered_message_has_no_room_for_is_counted() {
    let n_in = |text: &str| -> u64 {
        let number = text.split(' ').next().unwrap();
        number.replace(',', "").parse().unwrap()
    };
    for n_parts in [1, 5, 6, 20, 21, 25, 26, 300] {
        let message = gathered(Kind::Digest, many(n_parts));
        let text = told(&message);
        assert!(units(&text) <= 4_000, "{n_parts}: {}", units(&text));
        let rest = text.split_once("and ").map_or(0, |(_, rest)| n_in(rest));
        let n_rows = text.lines().filter(|line| line.contains("  disk ")).count();
        assert_eq!(n_rows as u64 + rest, n_parts as u64, "{text}");
        assert!(n_rows >= n_parts.min(10), "{n_rows} of {n_parts}");

        let message = gathered(Kind::Thread, many(n_parts));
        let text = told(&message);
        let rest = text.split_once(" and ").map_or(0, |(_, rest)| n_in(rest));
        assert_eq!(rest, n_parts.saturating_sub(20) as u64, "{text}");
        let plain = told_plainly(&message);
        let rest = plain.split_once(" and ").map_or(0, |(_, rest)| n_in(rest));
        assert_eq!(rest, n_parts.saturating_sub(5) as u64, "{plain}");
    }
}
