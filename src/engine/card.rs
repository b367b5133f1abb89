//! The same words as a card.
//!
//! A card shows facts in rows and folds long samples away. A phone shows none of it
//! in a notification, so there is always text above it: severity and title, how many
//! more there were, who is called, and what the rule's author wrote as `text`, in
//! Chat's markup. In the card itself text is HTML, and all of it passes
//! [`markup::html`].

use serde_json::{Value, json};

use super::markup;
use super::message::{
    BODY_BYTES_MAX, OWN_TEXT_CHARS_MAX, Said, close_block, fits, group, head_line, mark,
};
use crate::rules::Severity;

/// Rows for `by` values and labels; the rest is left out.
const PAIRS_MAX: usize = 8;

/// Characters of a value in a row.
const ROW_CHARS_MAX: usize = 300;

/// Samples that are shown before somebody unfolds the rest.
const UNFOLDED: usize = 1;

/// Words a message as a card: the body without its thread.
pub(super) fn body(said: &Said<'_>) -> Value {
    // From the wordiest to the tersest; the first that fits is taken.
    for (n_samples, sample_chars) in [(usize::MAX, usize::MAX), (1, usize::MAX), (1, 200)] {
        let body = body_with(said, n_samples, sample_chars);
        if body.to_string().len() <= BODY_BYTES_MAX {
            return body;
        }
    }
    json!({ "text": head_line(said) })
}

fn body_with(said: &Said<'_>, n_samples: usize, sample_chars: usize) -> Value {
    let tally = said.tally;
    let mut sections = vec![json!({ "widgets": rows(said) })];
    if said.own_text.is_none() {
        let mut samples = said.samples.clone();
        if let (Some(first), Some(surrounded), usize::MAX) =
            (samples.first_mut(), &said.surrounded, n_samples)
        {
            first.clone_from(surrounded);
        }
        let samples: Vec<Value> = (samples.iter())
            .take(n_samples)
            .map(|sample| sample_widget(&markup::shorten(sample, sample_chars)))
            .collect();
        let has_samples = !samples.is_empty();
        let mut section = json!({ "widgets": samples });
        if samples.len() > UNFOLDED {
            section["header"] = json!("Samples");
            section["collapsible"] = json!(true);
            section["uncollapsibleWidgetsCount"] = json!(UNFOLDED);
        }
        // A section without a widget is refused.
        if has_samples {
            sections.push(section);
        }
    }
    if let Some(url) = said.runbook {
        let button = json!({
            "text": "Runbook",
            "icon": { "materialIcon": { "name": "menu_book" } },
            "onClick": { "openLink": { "url": url } },
        });
        sections.push(json!({ "widgets": [{ "buttonList": { "buttons": [button] } }] }));
    }
    let severity = tally.worst;
    // The built-in title begins with the key.
    let subtitle = match said.own_title.is_some() {
        true => format!("{} · {}", said.host, said.key),
        false => said.host.to_owned(),
    };
    let header = json!({
        "title": format!("{} {}", state(said), said.bare_title),
        "subtitle": markup::shorten(&markup::bare(&subtitle), ROW_CHARS_MAX),
    });
    json!({
        "text": text(said),
        "fallbackText": markup::shorten(
            &markup::plain(&format!("{severity}: {} on {}", said.bare_title, said.host)),
            ROW_CHARS_MAX,
        ),
        "cardsV2": [{
            "cardId": said.key,
            "card": { "header": header, "sections": sections },
        }],
    })
}

/// What stands above the card.
fn text(said: &Said<'_>) -> String {
    let mut parts = vec![head_line(said)];
    parts.extend(said.mentions.clone());
    parts.extend(said.more.clone());
    let head = parts.join("\n");
    let own = said.own_text.as_deref().unwrap_or_default();
    [OWN_TEXT_CHARS_MAX, OWN_TEXT_CHARS_MAX / 4]
        .into_iter()
        .map(|chars_max| close_block(markup::shorten(own, chars_max)))
        .map(|own| format!("{head}\n{own}").trim_end().to_owned())
        .find(|text| fits(text))
        .unwrap_or(head)
}

/// The severity's mark; of a command, its state in words as well.
fn state(said: &Said<'_>) -> String {
    match &said.lead {
        Some(lead) => lead.replace('*', "").trim().to_owned(),
        None => mark(said.tally.worst).to_owned(),
    }
}

fn rows(said: &Said<'_>) -> Vec<Value> {
    let tally = said.tally;
    let severity = tally.worst;
    let colour = colour(severity);
    let word = match &said.lead {
        Some(_) => state(said),
        None => severity.as_str().to_uppercase(),
    };
    let where_from = format!("{} · {}", value(said.host), value(&tally.latest.source));
    let mut when = said.when.clone();
    when.push_str(&match tally.count {
        1 => " · 1 event".to_owned(),
        count => format!(" · {} events", group(count)),
    });
    if said.total > tally.count {
        when.push_str(&format!(", {} so far", group(said.total)));
    }
    let mut rows = vec![
        row(
            "report",
            "Severity",
            &format!("<font color=\"{colour}\"><b>{word}</b></font>"),
        ),
        row("dns", "Where", &where_from),
        row("schedule", "When", &when),
    ];
    let pairs = said.by.iter().map(|pair| ("filter_alt", pair));
    let labels = said.labels.iter().map(|pair| ("label", pair));
    for (icon, (name, text)) in pairs.chain(labels).take(PAIRS_MAX) {
        let label = match name.is_empty() {
            true => "By".to_owned(),
            false => markup::shorten(&markup::bare(name), 60),
        };
        rows.push(row(icon, &label, &value(text)));
    }
    rows
}

fn row(icon: &str, label: &str, html: &str) -> Value {
    json!({ "decoratedText": {
        "startIcon": { "materialIcon": { "name": icon } },
        "topLabel": label,
        "text": html,
        "wrapText": true,
    } })
}

/// A value of a row. An empty one is refused.
fn value(text: &str) -> String {
    shown(&markup::shorten(text, ROW_CHARS_MAX))
}

fn shown(text: &str) -> String {
    let html = markup::html(text);
    match html.replace("<br>", "").trim().is_empty() {
        true => "–".to_owned(),
        false => html,
    }
}

fn sample_widget(sample: &str) -> Value {
    json!({ "textParagraph": { "text": format!("<pre>{}</pre>", shown(sample)) } })
}

/// The colour of a severity's word, readable on light and on dark.
fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "#1a73e8",
        Severity::Warning => "#b06000",
        Severity::Error | Severity::Critical => "#d93025",
    }
}
