//! The message types of `google.chat.v1` as far as a webhook may send them.
//!
//! Field names, types, enums and one-ofs are those of Google's discovery document
//! of November 2026. Fields that exist but are not for a webhook are listed with
//! the reason, so that the answer can say why.

/// A message type.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name, for descriptions of what was expected.
    pub name: &'static str,
    /// What it may carry.
    pub fields: &'static [Field],
    /// Sets of fields of which at most one may be present.
    pub one_ofs: &'static [&'static [&'static str]],
}

/// A field by its JSON name.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub holds: Holds,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Text,
    Bool,
    Int32,
    Number,
    Enum(&'static [&'static str]),
    One(&'static Kind),
    Many(&'static Kind),
    /// The field exists, but not for a webhook.
    Refused(Refusal),
}

/// Why a field that exists is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    OutputOnly,
    Deprecated,
    AppAuth,
    UserAuth,
    Interactive,
}

impl Refusal {
    /// Returns the reason as a clause.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::OutputOnly => "it is output only",
            Self::Deprecated => "it is deprecated",
            Self::AppAuth => "it needs app authentication",
            Self::UserAuth => "it needs user authentication",
            Self::Interactive => "nobody can interact with a webhook",
        }
    }
}

const fn field(name: &'static str, holds: Holds) -> Field {
    Field { name, holds }
}

const fn text(name: &'static str) -> Field {
    field(name, Holds::Text)
}

const fn refused(name: &'static str, why: Refusal) -> Field {
    field(name, Holds::Refused(why))
}

const NONE: &[&[&str]] = &[];

const ALIGN_H: Holds = Holds::Enum(&["HORIZONTAL_ALIGNMENT_UNSPECIFIED", "START", "CENTER", "END"]);
const IMAGE_TYPE: Holds = Holds::Enum(&["SQUARE", "CIRCLE"]);
const VISIBILITY: Holds = Holds::Enum(&["VISIBILITY_UNSPECIFIED", "VISIBLE", "HIDDEN"]);

/// The root: what the body of a request is.
pub(super) static MESSAGE: Kind = Kind {
    name: "google.chat.v1.Message",
    fields: &[
        text("text"),
        text("fallbackText"),
        field("thread", Holds::One(&THREAD)),
        field("cardsV2", Holds::Many(&CARD_WITH_ID)),
        field(
            "markupSyntax",
            Holds::Enum(&[
                "MARKUP_SYNTAX_UNSPECIFIED",
                "MARKUP_SYNTAX_CHAT",
                "MARKUP_SYNTAX_MARKDOWN",
            ]),
        ),
        // An identifier: a client may send it, and it is ignored on creation.
        text("name"),
        refused("cards", Refusal::Deprecated),
        refused("accessoryWidgets", Refusal::AppAuth),
        refused("privateMessageViewer", Refusal::AppAuth),
        refused("actionResponse", Refusal::Interactive),
        refused("attachment", Refusal::UserAuth),
        refused("clientAssignedMessageId", Refusal::OutputOnly),
        refused("createTime", Refusal::UserAuth),
        refused("elements", Refusal::AppAuth),
        refused("quotedMessageMetadata", Refusal::UserAuth),
        refused("annotations", Refusal::OutputOnly),
        refused("argumentText", Refusal::OutputOnly),
        refused("attachedGifs", Refusal::OutputOnly),
        refused("deleteTime", Refusal::OutputOnly),
        refused("deletionMetadata", Refusal::OutputOnly),
        refused("emojiReactionSummaries", Refusal::OutputOnly),
        refused("formattedText", Refusal::OutputOnly),
        refused("lastUpdateTime", Refusal::OutputOnly),
        refused("matchedUrl", Refusal::OutputOnly),
        refused("sender", Refusal::OutputOnly),
        refused("silent", Refusal::OutputOnly),
        refused("slashCommand", Refusal::OutputOnly),
        refused("space", Refusal::OutputOnly),
        refused("threadReply", Refusal::OutputOnly),
    ],
    one_ofs: NONE,
};

static THREAD: Kind = Kind {
    name: "Thread",
    fields: &[text("name"), text("threadKey")],
    one_ofs: NONE,
};

static CARD_WITH_ID: Kind = Kind {
    name: "CardWithId",
    fields: &[
        text("cardId"),
        field("card", Holds::One(&CARD)),
        refused("ownerUser", Refusal::OutputOnly),
    ],
    one_ofs: NONE,
};

static CARD: Kind = Kind {
    name: "Card",
    fields: &[
        field("header", Holds::One(&CARD_HEADER)),
        field("sections", Holds::Many(&SECTION)),
        field(
            "sectionDividerStyle",
            Holds::Enum(&["DIVIDER_STYLE_UNSPECIFIED", "SOLID_DIVIDER", "NO_DIVIDER"]),
        ),
        text("name"),
        field(
            "displayStyle",
            Holds::Enum(&["DISPLAY_STYLE_UNSPECIFIED", "PEEK", "REPLACE"]),
        ),
        field("peekCardHeader", Holds::One(&CARD_HEADER)),
        refused("cardActions", Refusal::Interactive),
        refused("fixedFooter", Refusal::Interactive),
        refused("expressionData", Refusal::Interactive),
    ],
    one_ofs: NONE,
};

static CARD_HEADER: Kind = Kind {
    name: "CardHeader",
    fields: &[
        text("title"),
        text("subtitle"),
        field("imageType", IMAGE_TYPE),
        text("imageUrl"),
        text("imageAltText"),
    ],
    one_ofs: NONE,
};

static SECTION: Kind = Kind {
    name: "Section",
    fields: &[
        text("header"),
        field("widgets", Holds::Many(&WIDGET)),
        field("collapsible", Holds::Bool),
        field("uncollapsibleWidgetsCount", Holds::Int32),
        field("collapseControl", Holds::One(&COLLAPSE_CONTROL)),
        text("id"),
    ],
    one_ofs: NONE,
};

static COLLAPSE_CONTROL: Kind = Kind {
    name: "CollapseControl",
    fields: &[
        field("horizontalAlignment", ALIGN_H),
        field("expandButton", Holds::One(&BUTTON)),
        field("collapseButton", Holds::One(&BUTTON)),
    ],
    one_ofs: NONE,
};

static WIDGET: Kind = Kind {
    name: "Widget",
    fields: &[
        field("textParagraph", Holds::One(&TEXT_PARAGRAPH)),
        field("image", Holds::One(&IMAGE)),
        field("decoratedText", Holds::One(&DECORATED_TEXT)),
        field("buttonList", Holds::One(&BUTTON_LIST)),
        field("divider", Holds::One(&DIVIDER)),
        field("grid", Holds::One(&GRID)),
        field("columns", Holds::One(&COLUMNS)),
        field("carousel", Holds::One(&CAROUSEL)),
        field("chipList", Holds::One(&CHIP_LIST)),
        field("horizontalAlignment", ALIGN_H),
        field("visibility", VISIBILITY),
        text("id"),
        refused("textInput", Refusal::Interactive),
        refused("selectionInput", Refusal::Interactive),
        refused("dateTimePicker", Refusal::Interactive),
        refused("eventActions", Refusal::Interactive),
    ],
    one_ofs: &[WIDGET_DATA],
};

/// What a widget may be, one at a time.
pub(super) const WIDGET_DATA: &[&str] = &[
    "textParagraph",
    "image",
    "decoratedText",
    "buttonList",
    "divider",
    "grid",
    "columns",
    "carousel",
    "chipList",
];

/// A widget inside a column.
static COLUMN_WIDGET: Kind = Kind {
    name: "Widgets",
    fields: &[
        field("textParagraph", Holds::One(&TEXT_PARAGRAPH)),
        field("image", Holds::One(&IMAGE)),
        field("decoratedText", Holds::One(&DECORATED_TEXT)),
        field("buttonList", Holds::One(&BUTTON_LIST)),
        field("chipList", Holds::One(&CHIP_LIST)),
        refused("textInput", Refusal::Interactive),
        refused("selectionInput", Refusal::Interactive),
        refused("dateTimePicker", Refusal::Interactive),
    ],
    one_ofs: &[&[
        "textParagraph",
        "image",
        "decoratedText",
        "buttonList",
        "chipList",
    ]],
};

static CAROUSEL: Kind = Kind {
    name: "Carousel",
    fields: &[field("carouselCards", Holds::Many(&CAROUSEL_CARD))],
    one_ofs: NONE,
};

static CAROUSEL_CARD: Kind = Kind {
    name: "CarouselCard",
    fields: &[
        field("widgets", Holds::Many(&NESTED_WIDGET)),
        field("footerWidgets", Holds::Many(&NESTED_WIDGET)),
    ],
    one_ofs: NONE,
};

static NESTED_WIDGET: Kind = Kind {
    name: "NestedWidget",
    fields: &[
        field("textParagraph", Holds::One(&TEXT_PARAGRAPH)),
        field("buttonList", Holds::One(&BUTTON_LIST)),
        field("image", Holds::One(&IMAGE)),
    ],
    one_ofs: &[&["textParagraph", "buttonList", "image"]],
};

static DIVIDER: Kind = Kind {
    name: "Divider",
    fields: &[],
    one_ofs: NONE,
};

static TEXT_PARAGRAPH: Kind = Kind {
    name: "TextParagraph",
    fields: &[
        text("text"),
        field("maxLines", Holds::Int32),
        field(
            "textSyntax",
            Holds::Enum(&["TEXT_SYNTAX_UNSPECIFIED", "HTML", "MARKDOWN"]),
        ),
    ],
    one_ofs: NONE,
};

static IMAGE: Kind = Kind {
    name: "Image",
    fields: &[
        text("imageUrl"),
        text("altText"),
        field("onClick", Holds::One(&ON_CLICK)),
    ],
    one_ofs: NONE,
};

static DECORATED_TEXT: Kind = Kind {
    name: "DecoratedText",
    fields: &[
        text("text"),
        text("topLabel"),
        text("bottomLabel"),
        field("contentText", Holds::One(&TEXT_PARAGRAPH)),
        field("topLabelText", Holds::One(&TEXT_PARAGRAPH)),
        field("bottomLabelText", Holds::One(&TEXT_PARAGRAPH)),
        field("wrapText", Holds::Bool),
        field("startIcon", Holds::One(&ICON)),
        field(
            "startIconVerticalAlignment",
            Holds::Enum(&["VERTICAL_ALIGNMENT_UNSPECIFIED", "TOP", "MIDDLE", "BOTTOM"]),
        ),
        field("endIcon", Holds::One(&ICON)),
        field("button", Holds::One(&BUTTON)),
        field("onClick", Holds::One(&ON_CLICK)),
        refused("icon", Refusal::Deprecated),
        refused("switchControl", Refusal::Interactive),
    ],
    one_ofs: &[&["button", "switchControl", "endIcon"]],
};

static ICON: Kind = Kind {
    name: "Icon",
    fields: &[
        text("knownIcon"),
        text("iconUrl"),
        field("materialIcon", Holds::One(&MATERIAL_ICON)),
        text("altText"),
        field("imageType", IMAGE_TYPE),
    ],
    one_ofs: &[&["knownIcon", "iconUrl", "materialIcon"]],
};

static MATERIAL_ICON: Kind = Kind {
    name: "MaterialIcon",
    fields: &[
        text("name"),
        field("fill", Holds::Bool),
        field("weight", Holds::Int32),
        field("grade", Holds::Int32),
    ],
    one_ofs: NONE,
};

static BUTTON_LIST: Kind = Kind {
    name: "ButtonList",
    fields: &[field("buttons", Holds::Many(&BUTTON))],
    one_ofs: NONE,
};

static BUTTON: Kind = Kind {
    name: "Button",
    fields: &[
        text("text"),
        field("icon", Holds::One(&ICON)),
        field("color", Holds::One(&COLOR)),
        field("onClick", Holds::One(&ON_CLICK)),
        field("disabled", Holds::Bool),
        text("altText"),
        field(
            "type",
            Holds::Enum(&[
                "TYPE_UNSPECIFIED",
                "OUTLINED",
                "FILLED",
                "FILLED_TONAL",
                "BORDERLESS",
            ]),
        ),
    ],
    one_ofs: NONE,
};

static COLOR: Kind = Kind {
    name: "Color",
    fields: &[
        field("red", Holds::Number),
        field("green", Holds::Number),
        field("blue", Holds::Number),
        field("alpha", Holds::Number),
    ],
    one_ofs: NONE,
};

static ON_CLICK: Kind = Kind {
    name: "OnClick",
    fields: &[
        field("openLink", Holds::One(&OPEN_LINK)),
        field("overflowMenu", Holds::One(&OVERFLOW_MENU)),
        field("card", Holds::One(&CARD)),
        refused("action", Refusal::Interactive),
        refused("openDynamicLinkAction", Refusal::Interactive),
    ],
    one_ofs: &[&[
        "action",
        "openLink",
        "openDynamicLinkAction",
        "card",
        "overflowMenu",
    ]],
};

static OPEN_LINK: Kind = Kind {
    name: "OpenLink",
    fields: &[
        text("url"),
        field("openAs", Holds::Enum(&["FULL_SIZE", "OVERLAY"])),
        field("onClose", Holds::Enum(&["NOTHING", "RELOAD"])),
    ],
    one_ofs: NONE,
};

static OVERFLOW_MENU: Kind = Kind {
    name: "OverflowMenu",
    fields: &[field("items", Holds::Many(&OVERFLOW_MENU_ITEM))],
    one_ofs: NONE,
};

static OVERFLOW_MENU_ITEM: Kind = Kind {
    name: "OverflowMenuItem",
    fields: &[
        text("text"),
        field("startIcon", Holds::One(&ICON)),
        field("onClick", Holds::One(&ON_CLICK)),
        field("disabled", Holds::Bool),
    ],
    one_ofs: NONE,
};

static GRID: Kind = Kind {
    name: "Grid",
    fields: &[
        text("title"),
        field("items", Holds::Many(&GRID_ITEM)),
        field("columnCount", Holds::Int32),
        field("borderStyle", Holds::One(&BORDER_STYLE)),
        field("onClick", Holds::One(&ON_CLICK)),
    ],
    one_ofs: NONE,
};

static GRID_ITEM: Kind = Kind {
    name: "GridItem",
    fields: &[
        text("id"),
        text("title"),
        text("subtitle"),
        field("image", Holds::One(&IMAGE_COMPONENT)),
        field(
            "layout",
            Holds::Enum(&["GRID_ITEM_LAYOUT_UNSPECIFIED", "TEXT_BELOW", "TEXT_ABOVE"]),
        ),
    ],
    one_ofs: NONE,
};

static IMAGE_COMPONENT: Kind = Kind {
    name: "ImageComponent",
    fields: &[
        text("imageUri"),
        text("altText"),
        field("cropStyle", Holds::One(&CROP_STYLE)),
        field("borderStyle", Holds::One(&BORDER_STYLE)),
    ],
    one_ofs: NONE,
};

static CROP_STYLE: Kind = Kind {
    name: "ImageCropStyle",
    fields: &[
        field(
            "type",
            Holds::Enum(&[
                "IMAGE_CROP_TYPE_UNSPECIFIED",
                "SQUARE",
                "CIRCLE",
                "RECTANGLE_CUSTOM",
                "RECTANGLE_4_3",
            ]),
        ),
        field("aspectRatio", Holds::Number),
    ],
    one_ofs: NONE,
};

static BORDER_STYLE: Kind = Kind {
    name: "BorderStyle",
    fields: &[
        field(
            "type",
            Holds::Enum(&["BORDER_TYPE_UNSPECIFIED", "NO_BORDER", "STROKE"]),
        ),
        field("strokeColor", Holds::One(&COLOR)),
        field("cornerRadius", Holds::Int32),
    ],
    one_ofs: NONE,
};

static COLUMNS: Kind = Kind {
    name: "Columns",
    fields: &[field("columnItems", Holds::Many(&COLUMN))],
    one_ofs: NONE,
};

static COLUMN: Kind = Kind {
    name: "Column",
    fields: &[
        field(
            "horizontalSizeStyle",
            Holds::Enum(&[
                "HORIZONTAL_SIZE_STYLE_UNSPECIFIED",
                "FILL_AVAILABLE_SPACE",
                "FILL_MINIMUM_SPACE",
            ]),
        ),
        field("horizontalAlignment", ALIGN_H),
        field(
            "verticalAlignment",
            Holds::Enum(&["VERTICAL_ALIGNMENT_UNSPECIFIED", "CENTER", "TOP", "BOTTOM"]),
        ),
        field("widgets", Holds::Many(&COLUMN_WIDGET)),
    ],
    one_ofs: NONE,
};

static CHIP_LIST: Kind = Kind {
    name: "ChipList",
    fields: &[
        field("chips", Holds::Many(&CHIP)),
        field(
            "layout",
            Holds::Enum(&["LAYOUT_UNSPECIFIED", "WRAPPED", "HORIZONTAL_SCROLLABLE"]),
        ),
    ],
    one_ofs: NONE,
};

static CHIP: Kind = Kind {
    name: "Chip",
    fields: &[
        text("label"),
        field("icon", Holds::One(&ICON)),
        field("onClick", Holds::One(&ON_CLICK)),
        field("disabled", Holds::Bool),
        text("altText"),
        refused("enabled", Refusal::Deprecated),
    ],
    one_ofs: NONE,
};
