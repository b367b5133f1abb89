//! What the cards of a message must satisfy beyond their types.

use serde_json::Value;

use super::proto::Violations;
use super::schema::WIDGET_DATA;

/// Widgets of a card that Chat draws; it drops the section that crosses this
/// number and all after it.
pub(super) const WIDGETS_MAX: usize = 100;
/// Columns that a columns widget may have.
const COLUMNS_MAX: usize = 2;

/// Checks the cards of a message, whose types are right.
pub(super) fn check(cards: &[Value], violations: &mut Violations) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, card) in cards.iter().enumerate() {
        let at = format!("cardsV2[{index}]");
        let id = card["cardId"].as_str().unwrap_or_default();
        if id.is_empty() && cards.len() > 1 {
            violations.add(
                &format!("{at}.cardId"),
                "needed when there are several cards",
            );
        } else if seen.contains(&id) {
            violations.add(&format!("{at}.cardId"), "the id is not unique");
        }
        seen.push(id);
        check_card(&card["card"], &format!("{at}.card"), violations);
    }
}

fn check_card(card: &Value, at: &str, violations: &mut Violations) {
    if !card.is_object() {
        violations.add(at, "a card is required");
        return;
    }
    let header = &card["header"];
    if header.is_object() && is_blank(&header["title"]) {
        violations.add(&format!("{at}.header.title"), "a title is required");
    }
    check_https(
        &header["imageUrl"],
        &format!("{at}.header.imageUrl"),
        violations,
    );
    let sections = card["sections"].as_array().map_or(&[][..], Vec::as_slice);
    if sections.is_empty() && !header.is_object() {
        violations.add(at, "a card needs a header or a section");
    }
    for (index, section) in sections.iter().enumerate() {
        let at = format!("{at}.sections[{index}]");
        let widgets = section["widgets"].as_array().map_or(&[][..], Vec::as_slice);
        if widgets.is_empty() {
            violations.add(&format!("{at}.widgets"), "a section needs a widget");
        }
        let n_fixed = section["uncollapsibleWidgetsCount"].as_i64().unwrap_or(0);
        if n_fixed < 0 {
            violations.add(&format!("{at}.uncollapsibleWidgetsCount"), "below zero");
        }
        for (index, widget) in widgets.iter().enumerate() {
            check_widget(widget, &format!("{at}.widgets[{index}]"), violations);
        }
    }
}

/// Checks a widget, also one inside a column or a carousel.
fn check_widget(widget: &Value, at: &str, violations: &mut Violations) {
    let Some(kind) = WIDGET_DATA.iter().find(|kind| !widget[**kind].is_null()) else {
        violations.add(at, "the widget is empty");
        return;
    };
    let data = &widget[*kind];
    let at = format!("{at}.{kind}");
    match *kind {
        "textParagraph" => check_paragraph(data, &at, violations),
        "decoratedText" => {
            if data["contentText"].is_object() {
                let at = format!("{at}.contentText");
                check_paragraph(&data["contentText"], &at, violations);
            } else if is_blank(&data["text"]) {
                violations.add(&format!("{at}.text"), "a text is required");
            }
            check_button(&data["button"], &format!("{at}.button"), violations);
            check_click(&data["onClick"], &format!("{at}.onClick"), violations);
        }
        "buttonList" => {
            for (index, button) in items(data, "buttons", &at, violations) {
                check_button(button, &format!("{at}.buttons[{index}]"), violations);
            }
        }
        "image" => {
            if is_blank(&data["imageUrl"]) {
                violations.add(&format!("{at}.imageUrl"), "an address is required");
            }
            check_https(&data["imageUrl"], &format!("{at}.imageUrl"), violations);
            check_click(&data["onClick"], &format!("{at}.onClick"), violations);
        }
        "chipList" => {
            for (index, chip) in items(data, "chips", &at, violations) {
                let at = format!("{at}.chips[{index}].onClick");
                check_click(&chip["onClick"], &at, violations);
            }
        }
        "columns" => {
            let columns = items(data, "columnItems", &at, violations);
            if columns.len() > COLUMNS_MAX {
                violations.add(&at, format!("at most {COLUMNS_MAX} columns are allowed"));
            }
            for (index, column) in columns {
                let at = format!("{at}.columnItems[{index}]");
                for (index, widget) in items(column, "widgets", &at, violations) {
                    check_widget(widget, &format!("{at}.widgets[{index}]"), violations);
                }
            }
        }
        "carousel" => {
            for (index, card) in items(data, "carouselCards", &at, violations) {
                let at = format!("{at}.carouselCards[{index}]");
                for (index, widget) in items(card, "widgets", &at, violations) {
                    check_widget(widget, &format!("{at}.widgets[{index}]"), violations);
                }
            }
        }
        "grid" => {
            for (index, item) in items(data, "items", &at, violations) {
                let at = format!("{at}.items[{index}].image.imageUri");
                check_https(&item["image"]["imageUri"], &at, violations);
            }
            check_click(&data["onClick"], &format!("{at}.onClick"), violations);
        }
        // A divider carries nothing.
        _ => {}
    }
}

fn check_paragraph(paragraph: &Value, at: &str, violations: &mut Violations) {
    if is_blank(&paragraph["text"]) {
        violations.add(&format!("{at}.text"), "a text is required");
    }
}

fn check_button(button: &Value, at: &str, violations: &mut Violations) {
    if button.is_null() {
        return;
    }
    if is_blank(&button["text"]) && button["icon"].is_null() {
        violations.add(at, "a button needs a text or an icon");
    }
    if button["onClick"].is_null() {
        violations.add(&format!("{at}.onClick"), "a button needs an action");
    }
    check_click(&button["onClick"], &format!("{at}.onClick"), violations);
}

fn check_click(click: &Value, at: &str, violations: &mut Violations) {
    let link = &click["openLink"];
    if link.is_null() {
        return;
    }
    let url = link["url"].as_str().unwrap_or_default();
    if !(url.starts_with("https://") || url.starts_with("http://") || url.starts_with("mailto:")) {
        violations.add(&format!("{at}.openLink.url"), "not an absolute address");
    }
}

/// Chat draws images from `https` only.
fn check_https(url: &Value, at: &str, violations: &mut Violations) {
    if let Some(url) = url.as_str()
        && !url.is_empty()
        && !url.starts_with("https://")
    {
        violations.add(at, "not an https address");
    }
}

/// Returns the numbered items of a list that must not be empty.
fn items<'a>(
    data: &'a Value,
    name: &str,
    at: &str,
    violations: &mut Violations,
) -> Vec<(usize, &'a Value)> {
    let items = data[name].as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        violations.add(&format!("{at}.{name}"), "the list is empty");
    }
    items.iter().enumerate().collect()
}

fn is_blank(value: &Value) -> bool {
    value.as_str().unwrap_or_default().trim().is_empty()
}

/// Tells if a part of a card will not be drawn.
pub(super) fn has_too_many_widgets(card: &Value) -> bool {
    let sections = card["card"]["sections"].as_array();
    let n_widgets: usize = sections
        .into_iter()
        .flatten()
        .map(|section| section["widgets"].as_array().map_or(0, Vec::len))
        .sum();
    n_widgets > WIDGETS_MAX
}
