//! Messages, literally as Chat gets them; and that none of them can be made to harm.
//!
//! `messages.txt` holds every kind of message. When one changes, the catalogue as it
//! would be now is written beside the build, to be read and, if it reads better,
//! taken over.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use logcrier::engine::checks::finding::{self, Ran};
use logcrier::engine::events::{Event, EventId, InstanceId};
use logcrier::engine::message::{self, Draft, Reason, Surface, Tally};
use logcrier::engine::scan::Sample;
use logcrier::engine::time::Wall;
use logcrier::rules::Rule;
use logcrier::rules::checks::Meaning;
use logcrier::sandbox::contract;
use proptest::prelude::*;

use crate::support::rules_of;

const CATALOGUE: &str = include_str!("messages.txt");

/// A rule with more fields than these, as YAML in one line.
pub(crate) fn rule(fields: &str) -> Arc<Rule> {
    let text = format!(
        "rules: [{{key: ssh, files: /a, match: '(?<user>\\w+) from (?<ip>\\S+)', by: [ip], {fields}}}]"
    );
    rules_of(&text).rules[0].clone()
}

pub(crate) const NOON: Wall = Wall(1_795_348_800_000_000);

pub(crate) fn seconds_after_noon(seconds: i64) -> Wall {
    Wall(NOON.0 + seconds * 1_000_000)
}

pub(crate) fn event(
    rule: &Rule,
    line: &str,
    captures: &[(&str, &str)],
    source: &str,
    at: Wall,
) -> Event {
    let sample = Sample {
        line: line.to_owned(),
        captures: captures
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).to_owned()))
            .collect(),
        ..Sample::default()
    };
    Event {
        id: EventId(1),
        instance: InstanceId::of(rule, &sample),
        severity: rule.severity,
        at,
        sample: Arc::new(sample),
        source: source.into(),
        besides: None,
    }
}

pub(crate) fn surface() -> Surface {
    Surface {
        host: "web-03".into(),
        zone: TimeZone::UTC,
    }
}

/// A message of so many failed logins.
fn logins(rule: &Rule, reason: Reason, n_events: i64) -> String {
    let login = |n: i64| {
        let user = ["root", "bob", "eve", "mallory", "trent"][n as usize % 5];
        let line = format!(
            "Failed password for {user} from 192.0.2.7 port {}",
            4_000 + n
        );
        let captures = [("user", user), ("ip", "192.0.2.7")];
        let at = seconds_after_noon(n * 7);
        event(rule, &line, &captures, "/var/log/auth.log", at)
    };
    let mut tally = Tally::of(&login(0));
    for n in 1..n_events {
        tally.add(&login(n));
    }
    let n_events = u64::try_from(n_events).unwrap();
    let total = match reason {
        Reason::First => n_events,
        _ => n_events + 1,
    };
    let draft = Draft {
        reason,
        tally,
        total,
        since: seconds_after_noon(-60),
        until: None,
    };
    word(rule, &login(0).instance, &draft)
}

pub(crate) fn word(rule: &Rule, instance: &InstanceId, draft: &Draft) -> String {
    let now = seconds_after_noon(3_600);
    let surface = surface();
    let key = message::thread_key(
        rule,
        instance,
        draft.since,
        now,
        &surface.zone,
        draft.reason,
    );
    let worded = message::word(Some(rule), instance, draft, key.as_deref(), now, &surface);
    assert_eq!(worded.fault, None);
    worded.body
}

const RUNBOOK: &str = "runbook: 'https://wiki.example.com/ssh'";

/// Every kind of message by name.
fn kinds() -> Vec<(&'static str, String)> {
    let own = "severity: error, title: '{{ count }} failed logins of {{ user }} from {{ ip }}'";
    let text = "text: 'first {{ first }}, total *{{ total }}*\n\n\n\n{{ line }}'";
    let all =
        format!("severity: critical, mention: [all, 1234567890], {RUNBOOK}, labels: {{env: prod}}");
    let card = format!("format_as: card, {all}");
    vec![
        (
            "first",
            logins(&rule("severity: warning"), Reason::First, 1),
        ),
        (
            "first, with everything",
            logins(&rule(&all), Reason::First, 1),
        ),
        (
            "first that waited and absorbed others",
            logins(&rule("thread: instance"), Reason::First, 4_213),
        ),
        ("summary", logins(&rule(&all), Reason::Summary, 37)),
        (
            "summary, own title",
            logins(&rule(own), Reason::Summary, 37),
        ),
        (
            "summary, own title and text",
            logins(&rule(&format!("{own}, {text}")), Reason::Summary, 1_000),
        ),
        (
            "worse",
            logins(
                &rule("severity: error, mention: [all]"),
                Reason::Severity,
                3,
            ),
        ),
        ("first as a card", logins(&rule(&card), Reason::First, 1)),
        (
            "summary as a card",
            logins(&rule(&card), Reason::Summary, 37),
        ),
        (
            "own title and text as a card",
            logins(
                &rule(&format!("format_as: card, {own}, {text}")),
                Reason::First,
                1,
            ),
        ),
        (
            "without a thread",
            logins(&rule("thread: none, severity: info"), Reason::First, 1),
        ),
    ]
    .into_iter()
    .chain(courses())
    .chain(checks())
    .chain(courses_of_checks())
    .collect()
}

/// What a command found, by name.
fn checks() -> Vec<(&'static str, String)> {
    let bad = "DISK CRITICAL - free space: / 326 MB (7%) | /=4211MB;3900;4300;0;4537";
    let fine = "DISK OK - free space: / 2326 MB (52%) | /=2211MB;3900;4300;0;4537";
    let several = "DISK WARNING - 2 of 9 are full\n/ 81%\n/var 83%";
    let card = "format_as: card";
    let odd = "UNKNOWN: cannot stat /mnt";
    vec![
        ("a plugin fails", found("", Reason::First, 2, bad)),
        ("a plugin warns", found("", Reason::First, 1, several)),
        (
            "a plugin fails, as a card",
            found(card, Reason::First, 2, bad),
        ),
        ("a plugin recovers", found("", Reason::Resolved, 0, fine)),
        ("a plugin does not know", found("", Reason::Broken, 3, odd)),
        (
            "a plugin fails, own severity",
            found("status: {'*': error}", Reason::First, 2, bad),
        ),
    ]
}

/// What becomes of what a command found, by name.
fn courses_of_checks() -> Vec<(&'static str, String)> {
    let (bad, fine) = ("DISK CRITICAL - 7% free", "DISK OK - 52% free");
    let course = |reason, is_fine: bool, n_bad| match is_fine {
        true => found_often("", reason, 0, fine, n_bad),
        false => found_often("", reason, 2, bad, n_bad),
    };
    vec![
        ("a plugin got worse", course(Reason::Severity, false, 2)),
        ("a plugin still fails", course(Reason::Repeat, false, 12)),
        (
            "a plugin failed and recovered",
            course(Reason::Brief, true, 1),
        ),
        ("a plugin flaps, bad", course(Reason::Flapping, false, 1)),
        ("a plugin flaps, fine", course(Reason::Flapping, true, 0)),
        ("a plugin is steady, bad", course(Reason::Steady, false, 3)),
        ("a plugin is steady, fine", course(Reason::Steady, true, 0)),
        ("a plugin knows again", course(Reason::Mended, true, 3)),
        (
            "a plugin was silenced",
            course(Reason::SilenceEnd, false, 3),
        ),
        (
            "a plugin's hours begin",
            course(Reason::HoursBegin, true, 2),
        ),
        (
            "what kept a plugin quiet is over",
            course(Reason::InhibitorEnd, false, 1),
        ),
        (
            "a plugin's rule was removed",
            course(Reason::Dropped, false, 0),
        ),
    ]
}

/// A message about a run that ended with a status and said this.
fn found(fields: &str, reason: Reason, exit_status: i32, said: &str) -> String {
    let n_bad = u64::from(reason != Reason::Resolved);
    found_often(fields, reason, exit_status, said, n_bad)
}

/// The same that speaks for so many bad results.
fn found_often(fields: &str, reason: Reason, exit_status: i32, said: &str, n_bad: u64) -> String {
    let status = match fields.contains("status") {
        true => "",
        false => "status: nagios,",
    };
    let text =
        format!("rules: [{{key: root-disk, command: [check_disk], every: 5m, {status} {fields}}}]");
    let rule = rules_of(&text).rules[0].clone();
    let check = rule.check.as_ref().unwrap();
    let ran = Ran::exited(exit_status, said);
    let judged = finding::judge(&rule, &check.status, &ran, &Arc::default());
    let event = Event {
        id: EventId(1),
        instance: InstanceId::of(&rule, &judged.sample),
        severity: match judged.meaning {
            Meaning::Bad(severity) => severity,
            Meaning::Fine | Meaning::Unknown => rule.severity,
        },
        at: seconds_after_noon(0),
        sample: judged.sample,
        source: "check_disk".into(),
        besides: None,
    };
    let mut tally = Tally::of(&event);
    tally.count = n_bad;
    let draft = Draft {
        reason,
        tally,
        total: 1,
        since: seconds_after_noon(-1_800),
        until: None,
    };
    word(&rule, &event.instance, &draft)
}

/// The course of an incident, by name.
fn courses() -> Vec<(&'static str, String)> {
    let (ends, beats) = ("resolve: {match: 'fine'}", "absent: {for: 26h}");
    let all = format!("{ends}, severity: error, mention: [all], {RUNBOOK}");
    let open = "still open";
    vec![
        ("resolved", course(&all, Reason::Resolved, 0, true)),
        (
            "resolved, with what was pending",
            course(&all, Reason::Resolved, 37, true),
        ),
        (
            "resolved, own title, as a card",
            course(
                &format!("{ends}, format_as: card, title: '{{{{ user }}}} from {{{{ ip }}}}'"),
                Reason::Resolved,
                2,
                true,
            ),
        ),
        (
            "failed and recovered before it was said",
            course(ends, Reason::Brief, 3, true),
        ),
        ("reminder", course(&all, Reason::Repeat, 4, false)),
        ("flapping, open", course(ends, Reason::Flapping, 1, false)),
        ("flapping, over", course(ends, Reason::Flapping, 0, true)),
        ("steady, open", course(ends, Reason::Steady, 5, false)),
        ("steady, over", course(ends, Reason::Steady, 5, true)),
        ("nothing came", course(beats, Reason::Absent, 1, false)),
        (
            "nothing came, as a card",
            course(
                &format!("{beats}, format_as: card"),
                Reason::Absent,
                1,
                false,
            ),
        ),
        ("it came again", course(beats, Reason::Returned, 0, true)),
        (
            "a silence is over",
            course(&all, Reason::SilenceEnd, 12, true),
        ),
        (open, course(&all, Reason::SilenceEnd, 12, false)),
        ("hours begin", course(ends, Reason::HoursBegin, 1, true)),
        (
            "what kept it quiet is over",
            course(ends, Reason::InhibitorEnd, 2, false),
        ),
        (
            "its rule was removed",
            course(ends, Reason::Dropped, 2, true),
        ),
    ]
}

/// A message of so many failed logins about what became of them.
fn course(fields: &str, reason: Reason, n_events: i64, is_over: bool) -> String {
    let rule = rule(fields);
    let login = |n: i64| {
        let line = match reason {
            // What did not come has no line.
            Reason::Absent => String::new(),
            _ => format!("Failed password for root from 192.0.2.7 port {}", 4_000 + n),
        };
        let captures = [("user", "root"), ("ip", "192.0.2.7")];
        event(
            &rule,
            &line,
            &captures,
            "/var/log/auth.log",
            seconds_after_noon(n * 60),
        )
    };
    let mut tally = Tally::of(&login(0));
    for n in 1..n_events {
        tally.add(&login(n));
    }
    tally.count = u64::try_from(n_events).unwrap();
    let draft = Draft {
        reason,
        total: tally.count + 1,
        tally,
        since: seconds_after_noon(-1_800),
        until: is_over.then(|| seconds_after_noon(1_800)),
    };
    word(&rule, &login(0).instance, &draft)
}

/// A body as people can read it.
fn readable(body: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut out = String::new();
    let text = json["text"].take();
    json.as_object_mut().unwrap().remove("text");
    out.push_str(text.as_str().unwrap());
    out.push_str("\n----\n");
    out.push_str(&serde_json::to_string_pretty(&json).unwrap());
    out
}

#[test]
fn every_message_reads_as_promised() {
    let now: String = (kinds().iter())
        .map(|(name, body)| {
            assert_eq!(contract::judge(body), [] as [&str; 0], "{name}");
            format!("######## {name}\n{}\n\n", readable(body))
        })
        .collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages.txt");
    std::fs::write(&path, &now).unwrap();
    assert!(
        now.trim_end() == CATALOGUE.trim_end(),
        "{now}\nThe catalogue as it would be is in {}",
        path.display()
    );
}

#[test]
fn only_the_beginning_and_what_is_worse_calls_people() {
    for fields in ["mention: [all]", "mention: [all], format_as: card"] {
        let rule = rule(fields);
        for (reason, is_called) in [
            (Reason::First, true),
            (Reason::Severity, true),
            (Reason::Summary, false),
        ] {
            let body = logins(&rule, reason, 3);
            assert_eq!(body.contains("<users/all>"), is_called, "{reason:?}");
        }
    }
}

#[test]
fn a_template_that_fails_costs_no_message() {
    let rule = rule("title: '{{ line.nothing.more }}', text: '{{ line|int }}'");
    let first = event(&rule, "x", &[("ip", "y")], "/a", NOON);
    let draft = Draft {
        reason: Reason::First,
        tally: Tally::of(&first),
        total: 1,
        since: NOON,
        until: None,
    };
    let worded = message::word(Some(&rule), &first.instance, &draft, None, NOON, &surface());
    assert!(worded.fault.is_some());
    assert!(
        worded.body.contains("*warning* `ssh` `ip=y`"),
        "{}",
        worded.body
    );
}

/// What may stand in a message and begin with `<`: the author's own.
fn without_ours(text: &str) -> String {
    let ours = ["<https://wiki.example.com/ssh|Runbook>", "<users/all>"];
    ours.iter()
        .fold(text.to_owned(), |text, run| text.replacen(run, "", 1))
}

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "<users/all>",
        "<",
        ">",
        "|",
        "```",
        "`",
        "*",
        "_",
        "~",
        "\n",
        "\r",
        "\u{1b}[31m",
        "\u{202e}",
        "<https://evil|bank>",
        "https://evil",
        "</code>",
        "&lt;",
        "&",
        "\"",
        "'",
        "<a href=x>",
        "é",
        "👨‍👩‍👧",
        "\u{301}",
        " ",
        "a",
        "\u{0}",
        "\u{fdd0}",
        "\u{fdd1}",
        "{{",
        "}}",
        "\\",
        "> ",
        "- ",
        "\t",
        "(others)",
    ]);
    let joined = prop::collection::vec(parts, 0..30).prop_map(|parts| parts.concat());
    prop_oneof![
        joined,
        any::<String>(),
        "[<`*a]{0,2000}",
        "\u{1f600}{0,3000}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in a log, Chat takes the message, nobody is called, nothing is
    /// linked and nothing breaks out.
    #[test]
    fn no_log_makes_a_message_harm(
        line in hostile(), user in hostile(), ip in hostile(), source in hostile(), host in hostile(),
        others in prop::collection::vec(hostile(), 0..4),
        card in any::<bool>(), wording in 0_usize..4, reason in 0_usize..3, thread in 0_usize..5,
    ) {
        let format = ["text", "card"][usize::from(card)];
        let wording = [
            "",
            "title: '{{ line }} {{ user }}'",
            "title: '*{{ ip }}* `{{ user }}` {{ line|upper }}', text: '{{ line }}\n\n> {{ ip }} {{ captures.user }}'",
            "text: '{% set x %}<{{ line }}>{% endset %}{{ x }} _{{ user }}_ {{ title }} {{ source }} {{ host }}'",
        ][wording];
        let thread = ["rule", "instance", "incident", "day", "none"][thread];
        let fields = format!("format_as: {format}, thread: {thread}, mention: [all], {RUNBOOK}, {wording}");
        let rule = rule(fields.trim_end_matches(", "));
        let captures = [("user", user.as_str()), ("ip", ip.as_str())];
        let first = event(&rule, &line, &captures, &source, NOON);
        let mut tally = Tally::of(&first);
        for other in &others {
            tally.add(&event(&rule, other, &captures, &source, seconds_after_noon(5)));
        }
        let reason = [Reason::First, Reason::Summary, Reason::Severity][reason];
        let draft = Draft { reason, total: tally.count, tally, since: NOON, until: None };
        let surface = Surface { host, zone: TimeZone::UTC };
        let key = message::thread_key(
            &rule,
            &first.instance,
            NOON,
            NOON,
            &surface.zone,
            Reason::First,
        );
        let worded = message::word(Some(&rule), &first.instance, &draft, key.as_deref(), NOON, &surface);
        let plain = message::word_plain(&first.instance, &draft, &surface);
        prop_assert!(key.is_none_or(|key| key.len() <= 200 && key.is_ascii()));
        for body in [&worded.body, &plain] {
            prop_assert_eq!(contract::judge(body), Vec::<String>::new(), "{}", body);
            prop_assert!(body.len() <= 30_000);
            let json: serde_json::Value = serde_json::from_str(body).unwrap();
            let text = json["text"].as_str().unwrap();
            prop_assert!(text.encode_utf16().count() <= 4_000);
            let rest = without_ours(text);
            let is_live = rest.split('<').skip(1).any(|rest| rest.starts_with(|c: char| !c.is_whitespace()));
            prop_assert!(!is_live, "{text}");
            prop_assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{0}', '\r']), "{text:?}");
            prop_assert!(text.lines().next().unwrap().chars().count() <= 400);
            // In the card only our own tags are left.
            let card = json["cardsV2"].to_string();
            let tags = ["<pre>", "</pre>", "<br>", "<b>", "</b>", "</font>"];
            let mut bare = tags.iter().fold(card, |card, tag| card.replace(tag, ""));
            for colour in ["#1a73e8", "#b06000", "#d93025"] {
                bare = bare.replace(&format!("<font color=\\\"{colour}\\\">"), "");
            }
            let is_live = bare.split('<').skip(1).any(|rest| rest.starts_with(|c: char| !c.is_whitespace()));
            prop_assert!(!is_live, "{bare}");
        }
    }
}
