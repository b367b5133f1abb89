//! What a request to create a message must satisfy.
//!
//! Types are the business of `proto`, cards that of `cards`; here are the limits
//! and rules that the types cannot say. `check` refuses what Chat refuses;
//! `breaches` names what Chat takes although it will not do what the sender meant.

use serde_json::{Map, Value};

use super::cards;
use super::proto::{self, Violation, Violations};
use super::schema;

/// Chat's limit for a whole message, text and cards together.
pub const BODY_BYTES_MAX: usize = 32_000;
/// Chat's limit for `text`, counted in UTF-16 units to be on the strict side.
pub const TEXT_UNITS_MAX: usize = 4_096;
/// Chat's limit for a thread key.
pub const THREAD_KEY_CHARS_MAX: usize = 4_000;
/// Characters of a message id that a client assigns.
const MESSAGE_ID_CHARS_MAX: usize = 63;

/// What to do with a message that names a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyOption {
    /// A new thread, whatever key is given.
    NewThread,
    /// A reply, or a new thread.
    FallBack,
    /// A reply, or nothing.
    OrFail,
}

/// A request that satisfies the contract.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accepted {
    /// The message, with JSON names and plain types.
    pub body: Map<String, Value>,
    pub text: String,
    pub thread_key: Option<String>,
    pub thread_name: Option<String>,
    pub reply_option: ReplyOption,
    pub request_id: Option<String>,
    pub message_id: Option<String>,
}

/// Checks a request to a space: its query parameters without `key` and `token`,
/// and its body.
pub(super) fn check(
    space: &str,
    query: &[(String, String)],
    body: &[u8],
) -> Result<Accepted, Vec<Violation>> {
    if body.len() > BODY_BYTES_MAX {
        let n_bytes = body.len();
        return Err(Violations::only(format!(
            "the message has {n_bytes} bytes; at most {BODY_BYTES_MAX} are allowed"
        )));
    }
    let raw = proto::parse_object(body)
        .map_err(|why| Violations::only(format!("invalid JSON payload: {why}")))?;
    let mut violations = Violations::default();
    let message = proto::read_message(&schema::MESSAGE, &raw, "", &mut violations);
    let parameters = check_query(query, &mut violations);
    // What the types refuse is missing from the message, and would be refused again.
    violations.or(())?;

    let mut violations = Violations::default();
    let text = string(&message, "text").to_owned();
    let n_units = text.encode_utf16().count();
    if n_units > TEXT_UNITS_MAX {
        violations.add(
            "text",
            format!("the text has {n_units} characters; at most {TEXT_UNITS_MAX} are allowed"),
        );
    }
    let cards = list(&message, "cardsV2");
    if text.trim().is_empty() && cards.is_empty() {
        violations.add("", "the message is empty: neither text nor cards");
    }
    cards::check(cards, &mut violations);

    let thread = message.get("thread").and_then(Value::as_object);
    let thread_key = thread.and_then(|thread| non_empty(thread, "threadKey"));
    let thread_name = thread.and_then(|thread| non_empty(thread, "name"));
    if let Some(key) = &thread_key
        && key.chars().count() > THREAD_KEY_CHARS_MAX
    {
        violations.add(
            "thread.threadKey",
            format!("at most {THREAD_KEY_CHARS_MAX} characters are allowed"),
        );
    }
    if let Some(name) = &thread_name
        && !is_thread_of(space, name)
    {
        violations.add(
            "thread.name",
            format!("not the resource name of a thread of spaces/{space}"),
        );
    }
    let has_thread = thread_key.is_some() || thread_name.is_some();
    if parameters.reply_option != ReplyOption::NewThread && !has_thread {
        violations.add("messageReplyOption", "a reply option needs a thread");
    }
    violations.or(Accepted {
        body: message,
        text,
        thread_key,
        thread_name,
        reply_option: parameters.reply_option,
        request_id: parameters.request_id,
        message_id: parameters.message_id,
    })
}

/// Tells all that is wrong with a body, whether Chat would refuse it or take it and
/// not do what was meant. A thread is asked for as the agent does.
pub fn judge(body: &str) -> Vec<String> {
    let is_threaded = serde_json::from_str::<Value>(body)
        .is_ok_and(|body| body["thread"]["threadKey"].is_string());
    let query = match is_threaded {
        true => vec![(
            "messageReplyOption".to_owned(),
            "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD".to_owned(),
        )],
        false => Vec::new(),
    };
    match check("S", &query, body.as_bytes()) {
        Ok(accepted) => breaches(&accepted).into_iter().map(str::to_owned).collect(),
        Err(violations) => violations
            .into_iter()
            .map(|one| format!("{}: {}", one.field, one.description))
            .collect(),
    }
}

/// Names what is wrong with an accepted message although Chat takes it.
pub(super) fn breaches(accepted: &Accepted) -> Vec<&'static str> {
    let mut found = Vec::new();
    if accepted.thread_key.is_some() && accepted.reply_option == ReplyOption::NewThread {
        found.push("a thread key without messageReplyOption is ignored");
    }
    if accepted.text.matches("```").count() % 2 == 1 {
        found.push("a code fence is not closed");
    }
    if accepted.text.is_empty() {
        found.push("a message without text is announced as an attachment only");
    }
    if list(&accepted.body, "cardsV2")
        .iter()
        .any(cards::has_too_many_widgets)
    {
        found.push("a card has more widgets than are drawn");
    }
    found
}

struct Parameters {
    reply_option: ReplyOption,
    request_id: Option<String>,
    message_id: Option<String>,
}

fn check_query(query: &[(String, String)], violations: &mut Violations) -> Parameters {
    let mut parameters = Parameters {
        reply_option: ReplyOption::NewThread,
        request_id: None,
        message_id: None,
    };
    for (index, (name, value)) in query.iter().enumerate() {
        if query[..index].iter().any(|(earlier, _)| earlier == name) {
            violations.add(name, "the parameter is given twice");
            continue;
        }
        match (name.as_str(), value.as_str()) {
            ("messageReplyOption", "MESSAGE_REPLY_OPTION_UNSPECIFIED") => {}
            ("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD") => {
                parameters.reply_option = ReplyOption::FallBack;
            }
            ("messageReplyOption", "REPLY_MESSAGE_OR_FAIL") => {
                parameters.reply_option = ReplyOption::OrFail;
            }
            ("messageReplyOption", other) => {
                violations.add(name, format!("invalid value: \"{other}\""));
            }
            ("requestId", "") => violations.add(name, "the id is empty"),
            ("requestId", id) => parameters.request_id = Some(id.to_owned()),
            ("messageId", id) if is_message_id(id) => parameters.message_id = Some(id.to_owned()),
            ("messageId", _) => violations.add(
                name,
                "an id starts with client- and has at most 63 of a-z, 0-9 and -",
            ),
            ("threadKey", _) => {
                violations.add(name, "deprecated: use thread.threadKey in the body");
            }
            ("createMessageNotificationOptions.notificationType", _) => {
                violations.add(name, "this parameter needs app authentication");
            }
            (unknown, _) => violations.add(
                unknown,
                format!("unknown name \"{unknown}\": cannot bind query parameter"),
            ),
        }
    }
    parameters
}

fn is_message_id(id: &str) -> bool {
    id.starts_with("client-")
        && id.len() <= MESSAGE_ID_CHARS_MAX
        && id
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_thread_of(space: &str, name: &str) -> bool {
    let Some(id) = name
        .strip_prefix("spaces/")
        .and_then(|rest| rest.strip_prefix(space))
        .and_then(|rest| rest.strip_prefix("/threads/"))
    else {
        return false;
    };
    !id.is_empty() && id.bytes().all(is_id_byte)
}

/// Tells if a byte may stand in the id of a space or a thread.
pub(super) fn is_id_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}

fn string<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn non_empty(object: &Map<String, Value>, name: &str) -> Option<String> {
    let value = string(object, name);
    (!value.is_empty()).then(|| value.to_owned())
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    let items = object.get(name).and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_at(body: &str) -> Vec<String> {
        match check("S", &[], body.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(violations) => violations.into_iter().map(|v| v.field).collect(),
        }
    }

    /// A card with one section of these widgets.
    fn card(widgets: &str) -> String {
        format!(r#"{{"cardsV2":[{{"card":{{"sections":[{{"widgets":[{widgets}]}}]}}}}]}}"#)
    }

    #[test]
    fn takes_what_a_webhook_may_send() {
        let bodies = [
            r#"{"text":"x"}"#,
            r#"{"text":"x","thread":{"threadKey":"k"}}"#,
            r#"{"text":"x","thread":{"thread_key":"k"}}"#,
            r#"{"text":"x","thread":{"name":"spaces/S/threads/abc"}}"#,
            r#"{"text":"x","thread":null,"cardsV2":null,"cards":null}"#,
            r#"{"text":"x","markupSyntax":"MARKUP_SYNTAX_MARKDOWN"}"#,
            r#"{"text":"x","markup_syntax":1}"#,
            r#"{"text":"x","fallbackText":"y"}"#,
            r#"{"cards_v2":[{"card_id":"a","card":{"header":{"title":"t"}}}]}"#,
        ];
        for body in bodies {
            assert_eq!(refused_at(body), [] as [&str; 0], "{body}");
        }
        let widgets = [
            r#"{"textParagraph":{"text":"x","maxLines":"3"}}"#,
            r#"{"textParagraph":{"text":"x","maxLines":3e0,"textSyntax":"HTML"}}"#,
            r#"{"decoratedText":{"text":"x","topLabel":"t","wrapText":true,
                "startIcon":{"materialIcon":{"name":"warning","fill":true}}}}"#,
            r#"{"decoratedText":{"contentText":{"text":"x"}}}"#,
            r#"{"buttonList":{"buttons":[{"text":"go","type":"FILLED",
                "color":{"red":1,"green":"0.5","blue":0},
                "onClick":{"openLink":{"url":"https://e.org/"}}}]}}"#,
            r#"{"divider":{}}"#,
            r#"{"image":{"imageUrl":"https://e.org/x.png"},"horizontalAlignment":"CENTER"}"#,
            r#"{"columns":{"columnItems":[{"widgets":[{"textParagraph":{"text":"x"}}]}]}}"#,
            r#"{"grid":{"title":"g","columnCount":2,"items":[{"title":"a"}]}}"#,
            r#"{"chipList":{"chips":[{"label":"c","onClick":{"openLink":{"url":"https://e.org"}}}]}}"#,
        ];
        for widget in widgets {
            assert_eq!(refused_at(&card(widget)), [] as [&str; 0], "{widget}");
        }
    }

    #[test]
    fn refuses_the_rest_with_its_place() {
        let long = "x".repeat(TEXT_UNITS_MAX + 1);
        let cases = [
            (r#"{}"#.to_owned(), ""),
            (r#"[]"#.to_owned(), ""),
            (r#"{"text":"x""#.to_owned(), ""),
            (r#"{"text":"a","text":"b"}"#.to_owned(), ""),
            (r#"{"text":" \n"}"#.to_owned(), ""),
            (r#"{"text":1}"#.to_owned(), "text"),
            (r#"{"text":"x","txt":"y"}"#.to_owned(), "txt"),
            (r#"{"text":"x","sender":{}}"#.to_owned(), "sender"),
            (r#"{"text":"x","cards":[]}"#.to_owned(), "cards"),
            (
                r#"{"text":"x","accessoryWidgets":[]}"#.to_owned(),
                "accessoryWidgets",
            ),
            (
                r#"{"text":"x","markupSyntax":"HTML"}"#.to_owned(),
                "markupSyntax",
            ),
            (
                r#"{"text":"x","markupSyntax":3}"#.to_owned(),
                "markupSyntax",
            ),
            (r#"{"text":"x","thread":"k"}"#.to_owned(), "thread"),
            (
                r#"{"text":"x","thread":{"key":"k"}}"#.to_owned(),
                "thread.key",
            ),
            (
                r#"{"text":"x","thread":{"threadKey":"a","thread_key":"b"}}"#.to_owned(),
                "thread.thread_key",
            ),
            (
                r#"{"text":"x","thread":{"name":"spaces/OTHER/threads/a"}}"#.to_owned(),
                "thread.name",
            ),
            (format!(r#"{{"text":"{long}"}}"#), "text"),
            (
                format!(r#"{{"text":"x","thread":{{"threadKey":"{long}"}}}}"#),
                "thread.threadKey",
            ),
            (r#"{"text":"x","cardsV2":[null]}"#.to_owned(), "cardsV2[0]"),
            (
                r#"{"cardsV2":[{"cardId":"a"}]}"#.to_owned(),
                "cardsV2[0].card",
            ),
            (
                r#"{"cardsV2":[{"card":{"header":{"subtitle":"s"}}}]}"#.to_owned(),
                "cardsV2[0].card.header.title",
            ),
            (
                r#"{"cardsV2":[{"cardId":"a","card":{"header":{"title":"t"}}},
                    {"cardId":"a","card":{"header":{"title":"t"}}}]}"#
                    .to_owned(),
                "cardsV2[1].cardId",
            ),
            (card(""), "cardsV2[0].card.sections[0].widgets"),
        ];
        for (body, place) in cases {
            assert_eq!(refused_at(&body), [place], "{body}");
        }
        let widgets = [
            ("{}", ""),
            (r#"{"textParagraph":{"text":""}}"#, ".textParagraph.text"),
            (r#"{"divider":{},"textParagraph":{"text":"x"}}"#, ""),
            (
                r#"{"textParagraph":{"text":"x","maxLines":1.5}}"#,
                ".textParagraph.maxLines",
            ),
            (
                r#"{"textParagraph":{"text":"x","maxLines":3000000000}}"#,
                ".textParagraph.maxLines",
            ),
            (r#"{"textInput":{"name":"n"}}"#, ".textInput"),
            (
                r#"{"decoratedText":{"text":"x","icon":{}}}"#,
                ".decoratedText.icon",
            ),
            (
                r#"{"decoratedText":{"text":"x","wrapText":"true"}}"#,
                ".decoratedText.wrapText",
            ),
            (
                r#"{"decoratedText":{"text":"x","startIcon":{"knownIcon":"STAR","iconUrl":"https://e"}}}"#,
                ".decoratedText.startIcon",
            ),
            (
                r#"{"buttonList":{"buttons":[{"text":"x","onClick":{"action":{"function":"f"}}}]}}"#,
                ".buttonList.buttons[0].onClick.action",
            ),
            (
                r#"{"buttonList":{"buttons":[{"text":"x","onClick":{"openLink":{"url":"/x"}}}]}}"#,
                ".buttonList.buttons[0].onClick.openLink.url",
            ),
            (
                r#"{"image":{"imageUrl":"http://e.org/x.png"}}"#,
                ".image.imageUrl",
            ),
        ];
        for (widget, place) in widgets {
            let place = format!("cardsV2[0].card.sections[0].widgets[0]{place}");
            let found = refused_at(&card(widget));
            assert_eq!(found.first(), Some(&place), "{widget}");
        }
    }

    #[test]
    fn knows_the_query_parameters() {
        let threaded = br#"{"text":"x","thread":{"threadKey":"k"}}"#;
        let plain = br#"{"text":"x"}"#;
        let refused = |name: &str, value: &str, body: &[u8]| {
            check("S", &[(name.to_owned(), value.to_owned())], body).is_err()
        };
        let fall_back = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";
        assert!(!refused("messageReplyOption", fall_back, threaded));
        assert!(refused("messageReplyOption", fall_back, plain));
        assert!(refused("messageReplyOption", "REPLY", threaded));
        assert!(refused("threadKey", "k", plain));
        assert!(refused("requestID", "k", plain));
        assert!(!refused("requestId", "k", plain));
        assert!(!refused("messageId", "client-1", plain));
        assert!(refused("messageId", "1", plain));
    }

    #[test]
    fn limits_the_whole_message() {
        let fallback = "x".repeat(BODY_BYTES_MAX);
        let body = format!(r#"{{"text":"x","fallbackText":"{fallback}"}}"#);
        assert_eq!(refused_at(&body), [""]);
    }

    #[test]
    fn names_what_chat_takes_but_does_not_do() {
        let body = br#"{"text":"```open","thread":{"threadKey":"k"}}"#;
        let accepted = check("S", &[], body).expect("it is accepted");
        assert_eq!(breaches(&accepted).len(), 2);
    }
}
