//! `logcrier explain`: why a line would be posted, or why not.

use std::io::{self, BufRead as _, Read as _, Write};

use jiff::tz::TimeZone;
use serde_json::json;

use super::args::ExplainArgs;
use super::{Outcome, rules_to_try};
use crate::diagnostic::harmless;
use crate::engine::scan::Sample;
use crate::host::clock;
use crate::rehearsal::explain::{self, Seen};
use crate::rules::{Rule, RuleSet, Surroundings};

/// Bytes of a line that are looked at: no agent looks at more.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Explains.
pub fn run(
    args: &ExplainArgs,
    surroundings: &dyn Surroundings,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let config = args.config.as_ref();
    let Some(rules) = rules_to_try(config, &args.rules, surroundings, err)? else {
        return Ok(Outcome::Failed);
    };
    let asked: Vec<&Rule> = (rules.rules.iter())
        .map(|rule| &**rule)
        .filter(|rule| args.rule.as_ref().is_none_or(|key| rule.key == *key))
        .filter(|rule| rule.check.is_none())
        .collect();
    if asked.is_empty() {
        match &args.rule {
            Some(key) => writeln!(err, "error: no rule of lines has the key `{key}`")?,
            None => writeln!(err, "error: there is no rule of lines")?,
        }
        return Ok(Outcome::Failed);
    }
    match &args.line {
        Some(line) => explain_line(line, &asked, &rules, args.json, out)?,
        None => {
            let mut lines = io::stdin().lock();
            let mut line = Vec::new();
            loop {
                line.clear();
                let n = (&mut lines)
                    .take(LINE_BYTES_MAX)
                    .read_until(b'\n', &mut line)?;
                if n == 0 {
                    break;
                }
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end_matches(['\n', '\r']);
                explain_line(text, &asked, &rules, args.json, out)?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn explain_line(
    line: &str,
    asked: &[&Rule],
    rules: &RuleSet,
    in_json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut hits = Vec::new();
    let mut others = Vec::new();
    for rule in asked {
        let seen = explain::see(rule, line, &explain::searcher_of(rule, rules));
        match seen {
            Seen::Hit { .. } => hits.push((*rule, seen)),
            Seen::NotFound | Seen::Unfit | Seen::Excepted(_) => others.push((*rule, seen)),
        }
    }
    // Those that nearly hit say more than those that have nothing to do with it.
    others.sort_by_key(|(_, seen)| matches!(seen, Seen::NotFound));
    let shown = rules.redactor.redact(line);
    if in_json {
        let answers: Vec<serde_json::Value> = (hits.iter().chain(&others))
            .map(|(rule, seen)| as_json(rule, seen, line, rules))
            .collect();
        return writeln!(out, "{}", json!({"line": shown, "rules": answers}));
    }
    writeln!(out, "{}", harmless(&shown))?;
    for (rule, seen) in &hits {
        writeln!(out, "\n{}: a hit", rule.key)?;
        show_hit(rule, seen, line, rules, out)?;
    }
    if !hits.is_empty() && !others.is_empty() {
        writeln!(out)?;
    }
    for (rule, seen) in &others {
        writeln!(out, "{}: no hit, {}", rule.key, harmless(&seen.why(rule)))?;
    }
    writeln!(out)
}

fn show_hit(
    rule: &Rule,
    seen: &Seen,
    line: &str,
    rules: &RuleSet,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Seen::Hit { sample, pattern } = seen else {
        return Ok(());
    };
    let pairs = |pairs: &[(String, String)]| -> String {
        let shown = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", harmless(value)));
        shown.collect::<Vec<_>>().join(" ")
    };
    let captures: Vec<(String, String)> = (sample.captures.iter())
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    let outcome = outcome_now(rule, line, sample, rules);
    if let Some(pattern) = pattern {
        writeln!(out, "  match     {}", harmless(pattern))?;
    }
    if !captures.is_empty() {
        writeln!(out, "  captures  {}", pairs(&captures))?;
    }
    if !outcome.instance.is_empty() {
        writeln!(out, "  instance  {}", pairs(&outcome.instance))?;
    }
    writeln!(out, "  severity  {}", outcome.severity)?;
    let spaces: Vec<&str> = rule.spaces.iter().map(|space| space.as_str()).collect();
    writeln!(out, "  space     {}", spaces.join(", "))?;
    match (outcome.said.first(), &outcome.counted) {
        (None, counted) => {
            let why = counted.as_deref().unwrap_or("nothing is posted");
            writeln!(out, "  now       {}", harmless(why))?;
        }
        (Some(said), _) => {
            let thread = said.message.thread_key.as_deref().unwrap_or("none");
            writeln!(out, "  thread    {}", harmless(thread))?;
            writeln!(out, "  now       posts at once:")?;
            for line in said.text().lines() {
                writeln!(out, "            {}", harmless(line))?;
            }
        }
    }
    Ok(())
}

fn outcome_now(rule: &Rule, line: &str, sample: &Sample, rules: &RuleSet) -> explain::Outcome {
    let zone = TimeZone::system();
    explain::outcome(rule, line, sample, rules, (clock::now().wall, &zone))
}

fn as_json(rule: &Rule, seen: &Seen, line: &str, rules: &RuleSet) -> serde_json::Value {
    let Seen::Hit { sample, pattern } = seen else {
        return json!({"key": rule.key, "hit": false, "why": seen.why(rule)});
    };
    let outcome = outcome_now(rule, line, sample, rules);
    let map = |pairs: &mut dyn Iterator<Item = (String, String)>| {
        let pairs = pairs.map(|(name, value)| (name, serde_json::Value::String(value)));
        serde_json::Value::Object(pairs.collect())
    };
    let captures = (sample.captures.iter()).map(|(name, value)| (name.to_string(), value.clone()));
    let posts: Vec<serde_json::Value> = (outcome.said.iter())
        .map(|said| json!({"thread": said.message.thread_key, "text": said.text()}))
        .collect();
    json!({
        "key": rule.key,
        "hit": true,
        "match": pattern,
        "captures": map(&mut { captures }),
        "instance": map(&mut outcome.instance.into_iter()),
        "severity": outcome.severity,
        "spaces": rule.spaces,
        "posts": posts,
        "counted": outcome.counted,
    })
}
