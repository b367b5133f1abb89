//! A replay as a page: one file that needs nothing else, in light and dark.
//!
//! It has no script and may load nothing, so whatever stands in a log is at most text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::chat::{drawn, escaped};
use super::{local, span_of};
use crate::cli::words::{bytes, counted, grouped};
use crate::engine::message::Reason;
use crate::engine::time::Wall;
use crate::rehearsal::Said;
use crate::rehearsal::history::{Chronicle, RulePart, minute_of};

/// Bars of a timeline.
const BARS: usize = 160;

/// Posts of one thread that are drawn.
const THREAD_POSTS_MAX: usize = 40;

/// Threads that are drawn.
const THREADS_MAX: usize = 200;

/// Posts of a rule that its timeline marks.
const MARKS_MAX: usize = 400;

const STYLE: &str = include_str!("page.css");

/// The span of time that is drawn.
struct Scale<'a> {
    from: i64,
    to: i64,
    zone: &'a TimeZone,
}

/// Draws a replay of logs with these names.
pub(super) fn page(chronicle: &Chronicle, names: &str, zone: &TimeZone) -> String {
    let last = chronicle
        .said
        .last()
        .map_or(chronicle.ended, |said| said.at);
    let scale = Scale {
        from: chronicle.began.0,
        to: chronicle
            .ended
            .0
            .max(last.0)
            .max(chronicle.began.0 + 1_000_000),
        zone,
    };
    let mut out = String::new();
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         <title>logcrier replay: {names}</title>\n<style>\n{STYLE}</style></head>\n<body>\n",
        names = escaped(names)
    );
    header(chronicle, names, zone, &mut out);
    out.push_str("<main>\n");
    tiles(chronicle, &mut out);
    timelines(chronicle, &scale, &mut out);
    threads(chronicle, zone, &mut out);
    out.push_str("<footer>Drawn by logcrier replay. Times are local to ");
    out.push_str(&escaped(zone.iana_name().unwrap_or("the machine")));
    out.push_str(".</footer>\n</main></body></html>\n");
    out
}

fn header(chronicle: &Chronicle, names: &str, zone: &TimeZone, out: &mut String) {
    let _ = write!(
        out,
        "<header><div><h1>{}</h1><p class=\"sub\">{} – {} · {} · {}</p>",
        escaped(names),
        local(chronicle.began, zone),
        local(chronicle.ended, zone),
        counted(chronicle.n_lines, "line"),
        bytes(chronicle.n_bytes),
    );
    for (path, why) in &chronicle.troubles {
        let _ = write!(
            out,
            "<p class=\"sub error\">{}: {}</p>",
            escaped(&path.display().to_string()),
            escaped(why)
        );
    }
    out.push_str("</div></header>\n");
}

fn tiles(chronicle: &Chronicle, out: &mut String) {
    let sum = |of: fn(&RulePart) -> u64| chronicle.rules.iter().map(of).sum::<u64>();
    let n_events = sum(|part| part.n_events);
    let n_posts: u64 = chronicle.spaces.iter().map(|part| part.n_posts).sum();
    out.push_str("<div class=\"tiles\">");
    let mut tile = |number: String, words: &str, class: &str| {
        let _ = write!(
            out,
            "<div class=\"tile{class}\"><b>{number}</b><span>{}</span></div>",
            escaped(words)
        );
    };
    tile(grouped(sum(|part| part.n_hits)), "hits", "");
    tile(grouped(n_events), "events", "");
    tile(grouped(n_posts), "messages posted", "");
    if n_posts > 0 && n_events > n_posts {
        let per_post = n_events as f64 / n_posts as f64;
        tile(format!("{per_post:.1}"), "events for each message", "");
    }
    for space in &chronicle.spaces {
        let is_full = space.busiest >= space.quota;
        let number = format!("{} / {}", space.busiest, space.quota);
        let words = format!("busiest minute of {}, of its quota", space.name);
        tile(number, &words, if is_full { " over" } else { "" });
    }
    out.push_str("</div>\n");
}

fn timelines(chronicle: &Chronicle, scale: &Scale<'_>, out: &mut String) {
    let (loud, quiet): (Vec<_>, Vec<_>) =
        (chronicle.rules.iter()).partition(|part| part.n_hits > 0 || part.n_posts > 0);
    out.push_str("<h2>Rules over time</h2>\n");
    if loud.is_empty() {
        out.push_str("<p class=\"quiet\">No rule had a hit.</p>\n");
    } else {
        out.push_str("<div class=\"panel\">");
        axis(scale, out);
        for part in &loud {
            timeline(chronicle, part, scale, out);
        }
        out.push_str(
            "</div><p class=\"legend\"><span><i></i>first word of an incident, or worse news\
             </span><span><i class=\"later\"></i>summary, reminder or end</span>\
             <span><i class=\"bar\"></i>hits</span></p>\n",
        );
    }
    if !quiet.is_empty() {
        let names: Vec<String> = (quiet.iter())
            .map(|part| format!("<code>{}</code>", escaped(part.rule.key.as_str())))
            .collect();
        let word = if quiet.len() == 1 { "rule" } else { "rules" };
        let _ = writeln!(
            out,
            "<p class=\"quiet\">{} {word} without a hit: {}</p>",
            quiet.len(),
            names.join(", ")
        );
    }
}

fn axis(scale: &Scale<'_>, out: &mut String) {
    out.push_str("<div class=\"axis\"><div></div><div class=\"ticks\">");
    let ticks = scale.ticks();
    for (at, words) in ticks {
        let left = scale.percent(at);
        let class = match left {
            left if left < 4.0 => " class=\"left\"",
            left if left > 96.0 => " class=\"right\"",
            _ => "",
        };
        let _ = write!(out, "<span{class} style=\"left:{left:.2}%\">{words}</span>");
    }
    out.push_str("</div></div>");
}

fn timeline(chronicle: &Chronicle, part: &RulePart, scale: &Scale<'_>, out: &mut String) {
    let key = part.rule.key.as_str();
    let severity = part.rule.severity.as_str();
    let _ = write!(
        out,
        "<div class=\"row\"><div class=\"name\"><span class=\"{severity}\">\
         <span class=\"sev\" title=\"{severity}\"></span></span><b>{}</b>\
         <p>{} · {} · {}</p></div><div class=\"lane\">",
        escaped(key),
        counted(part.n_hits, "hit"),
        counted(part.n_events, "event"),
        counted(part.n_posts, "post"),
    );
    let bars = scale.bars(&part.hits_by_minute);
    let highest = bars.iter().copied().max().unwrap_or(0).max(1) as f64;
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {BARS} 100\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"hits over time\">"
    );
    for (idx, n_hits) in bars.iter().enumerate().filter(|(_, n_hits)| **n_hits > 0) {
        // By the root, or one storm would flatten all the rest; and never invisible.
        let height = ((*n_hits as f64 / highest).sqrt() * 92.0).max(8.0);
        let _ = write!(
            out,
            "<rect x=\"{idx}.1\" y=\"{:.1}\" width=\"0.8\" height=\"{height:.1}\">\
             <title>{}: {}</title></rect>",
            100.0 - height,
            local(scale.bar_starts(idx), scale.zone),
            counted(*n_hits, "hit"),
        );
    }
    out.push_str("</svg>");
    let posts = (chronicle.said.iter()).filter(|said| speaks_of(said, part));
    for said in posts.take(MARKS_MAX) {
        let class = match is_news(said.message.draft.reason) {
            true => "post",
            false => "post later",
        };
        let _ = write!(
            out,
            "<span class=\"{class} {}\" style=\"left:{:.2}%\" title=\"{} {}\"></span>",
            said.message.draft.tally.worst.as_str(),
            scale.percent(said.at.0),
            local(said.at, scale.zone),
            escaped(&first_line(said)),
        );
    }
    out.push_str("</div></div>");
}

fn threads(chronicle: &Chronicle, zone: &TimeZone, out: &mut String) {
    out.push_str("<h2>What Chat would show</h2>\n");
    if chronicle.said.is_empty() {
        out.push_str("<p class=\"quiet\">Nothing would have been posted.</p>\n");
        return;
    }
    // In the order of their first messages.
    let mut order: Vec<(String, Vec<&Said>)> = Vec::new();
    let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
    for said in &chronicle.said {
        let space = said.space.as_str().to_owned();
        let Some(thread) = &said.message.thread_key else {
            order.push((format!("{space}, alone"), vec![said]));
            continue;
        };
        let idx = *known.entry((space, thread.clone())).or_insert_with(|| {
            order.push((thread.clone(), Vec::new()));
            order.len() - 1
        });
        order[idx].1.push(said);
    }
    let is_short = order.len() <= 3;
    for (thread, posts) in order.iter().take(THREADS_MAX) {
        let open = if is_short { " open" } else { "" };
        let space = posts.first().map_or("", |said| said.space.as_str());
        let word = if posts.len() == 1 {
            "message"
        } else {
            "messages"
        };
        let _ = write!(
            out,
            "<details{open}><summary><b>{}</b><span>{} {word} in {}</span></summary><div>",
            escaped(thread),
            grouped(posts.len() as u64),
            escaped(space),
        );
        let mut shown = posts.iter().take(THREAD_POSTS_MAX);
        if let Some(first) = shown.next() {
            message(first, zone, out);
        }
        if posts.len() > 1 {
            out.push_str("<div class=\"replies\">");
            shown.for_each(|said| message(said, zone, out));
            if posts.len() > THREAD_POSTS_MAX {
                let n_more = posts.len() - THREAD_POSTS_MAX;
                let _ = write!(
                    out,
                    "<p class=\"quiet\">and {} more</p>",
                    grouped(n_more as u64)
                );
            }
            out.push_str("</div>");
        }
        out.push_str("</div></details>\n");
    }
    let n_more = order.len().saturating_sub(THREADS_MAX);
    if n_more > 0 || chronicle.n_unkept > 0 {
        let _ = writeln!(
            out,
            "<p class=\"quiet\">{} threads and {} messages more are not drawn.</p>",
            grouped(n_more as u64),
            grouped(chronicle.n_unkept),
        );
    }
}

fn message(said: &Said, zone: &TimeZone, out: &mut String) {
    let why = match is_news(said.message.draft.reason) {
        true => String::new(),
        false => format!(
            "<span class=\"why\">{}</span>",
            escaped(said.message.draft.reason.as_str())
        ),
    };
    let _ = write!(
        out,
        "<div class=\"message\"><div class=\"avatar\" aria-hidden=\"true\">L</div><div>\
         <div class=\"who\"><b>logcrier</b><span class=\"tag\">APP</span><time>{}</time>{why}\
         </div><div class=\"text\">{}</div></div></div>",
        local(said.at, zone),
        drawn(&said.text()),
    );
}

fn speaks_of(said: &Said, part: &RulePart) -> bool {
    said.message
        .instances()
        .any(|instance| instance.rule == part.rule.key)
}

/// Whether a message tells of something new.
fn is_news(reason: Reason) -> bool {
    use Reason::{Absent, Brief, Broken, First, Severity};
    matches!(reason, First | Severity | Broken | Absent | Brief)
}

fn first_line(said: &Said) -> String {
    said.text().lines().next().unwrap_or_default().to_owned()
}

impl Scale<'_> {
    fn percent(&self, at: i64) -> f64 {
        let part = (at - self.from) as f64 / (self.to - self.from) as f64;
        part.clamp(0.0, 1.0) * 100.0
    }

    fn bar_starts(&self, idx: usize) -> Wall {
        let length = (self.to - self.from) as f64 / BARS as f64;
        Wall(self.from + (length * idx as f64) as i64)
    }

    fn bars(&self, by_minute: &BTreeMap<i64, u64>) -> Vec<u64> {
        let mut bars = vec![0; BARS];
        let first = minute_of(Wall(self.from));
        for (minute, n_hits) in by_minute {
            let middle = (*minute).max(first) * 60_000_000 + 30_000_000;
            let part = self.percent(middle) / 100.0;
            let idx = ((part * BARS as f64) as usize).min(BARS - 1);
            bars[idx] += n_hits;
        }
        bars
    }

    /// Times that are round where the logs were written, and what stands there.
    fn ticks(&self) -> Vec<(i64, String)> {
        const STEPS_SECS: [i64; 15] = [
            5, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800,
            2_592_000,
        ];
        let length = (self.to - self.from) / 1_000_000;
        let step = STEPS_SECS.into_iter().find(|step| length / step <= 7);
        let step = step.unwrap_or(length / 6).max(1);
        let offset = (jiff::Timestamp::from_microsecond(self.from))
            .map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()));
        let first = (self.from / 1_000_000 + offset).div_euclid(step) + 1;
        (first..)
            .map(|n| (n * step - offset) * 1_000_000)
            .take_while(|at| *at <= self.to)
            .take(20)
            .map(|at| (at, span_of(Wall(at), step, self.zone)))
            .collect()
    }
}
