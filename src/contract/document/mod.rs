//! The Open Data Contract Standard 3.0 to 3.2 as shapes: every key it has, level by level.
//!
//! <https://github.com/bitol-io/open-data-contract-standard>. Keys of 3.2 are marked; two parts depend on a value beside
//! them and are chosen by `check`: the keys of a server by its type, those of `logicalTypeOptions` by the logical type.

mod quality;
mod schema;
mod server;

use super::shape::{Expect, Key, Shape, key, new_key, required};

pub use schema::type_options;
pub use server::{KNOWN_SERVER_TYPES, server};

pub const TAGS: Expect = Expect::List(&Expect::Text);
pub const CUSTOM_PROPERTIES: Expect = Expect::List(&Expect::Map(&CUSTOM_PROPERTY));
pub const DEFINITIONS: Expect = Expect::List(&Expect::Map(&DEFINITION));
pub const CONTEXT: Expect = Expect::Either(&Expect::Text, &Expect::Map(&CONTEXT_BLOCK));

/// The whole document.
pub static CONTRACT: Shape = Shape {
    what: "contract",
    keys: &[&[
        required("apiVersion", Expect::Text),
        required("kind", Expect::Text),
        required("id", Expect::Text),
        required("version", Expect::Text),
        key("status", Expect::Text),
        key("name", Expect::Text),
        key("tenant", Expect::Text),
        key("tags", TAGS),
        key("servers", Expect::List(&Expect::Any)),
        key("dataProduct", Expect::Text),
        key("description", Expect::Map(&DESCRIPTION)),
        key("domain", Expect::Text),
        new_key("context", CONTEXT),
        required("schema", Expect::List(&Expect::Map(&schema::OBJECT))),
        key("support", SUPPORT),
        key("price", Expect::Map(&PRICE)),
        key("team", Expect::Either(&Expect::Map(&TEAM), &Expect::List(&Expect::Map(&MEMBER)))),
        key("roles", Expect::List(&Expect::Map(&ROLE))),
        key("slaDefaultElement", Expect::Text),
        key("slaProperties", Expect::List(&Expect::Map(&SLA))),
        key("authoritativeDefinitions", DEFINITIONS),
        key("customProperties", CUSTOM_PROPERTIES),
        key("contractCreatedTs", Expect::Text),
    ]],
};

/// `support[]`; `domain.yaml` has the same.
pub const SUPPORT: Expect = Expect::List(&Expect::Map(&SUPPORT_ITEM));

static DESCRIPTION: Shape = Shape {
    what: "description",
    keys: &[&[
        key("purpose", Expect::Text),
        key("limitations", Expect::Text),
        key("usage", Expect::Text),
        key("authoritativeDefinitions", DEFINITIONS),
        key("customProperties", CUSTOM_PROPERTIES),
    ]],
};

static CUSTOM_PROPERTY: Shape = Shape {
    what: "custom property",
    keys: &[&[
        key("id", Expect::Text),
        required("property", Expect::Text),
        required("value", Expect::Any),
        key("description", Expect::Text),
        new_key("vendor", Expect::Text),
    ]],
};

static DEFINITION: Shape = Shape {
    what: "authoritative definition",
    keys: &[&[
        key("id", Expect::Text),
        required("url", Expect::Text),
        required("type", Expect::Text),
        key("description", Expect::Text),
    ]],
};

static CONTEXT_BLOCK: Shape = Shape {
    what: "context",
    keys: &[&[
        key("instructions", Expect::Text),
        key("verifiedStatements", Expect::List(&Expect::Any)),
        key("constraints", Expect::List(&Expect::Any)),
    ]],
};

static SUPPORT_ITEM: Shape = Shape {
    what: "support channel",
    keys: &[&[
        key("id", Expect::Text),
        required("channel", Expect::Text),
        key("url", Expect::Text),
        key("description", Expect::Text),
        key("tool", Expect::Text),
        key("scope", Expect::Text),
        key("invitationUrl", Expect::Text),
        key("customProperties", CUSTOM_PROPERTIES),
    ]],
};

static PRICE: Shape = Shape {
    what: "price",
    keys: &[&[
        key("id", Expect::Text),
        key("priceAmount", Expect::Number),
        key("priceCurrency", Expect::Text),
        key("priceUnit", Expect::Text),
    ]],
};

const PEOPLE: &[Key] = &[
    key("id", Expect::Text),
    key("name", Expect::Text),
    key("description", Expect::Text),
    key("tags", TAGS),
    key("customProperties", CUSTOM_PROPERTIES),
    key("authoritativeDefinitions", DEFINITIONS),
];

static TEAM: Shape = Shape { what: "team", keys: &[PEOPLE, &[key("members", Expect::List(&Expect::Map(&MEMBER)))]] };

static MEMBER: Shape = Shape {
    what: "team member",
    keys: &[
        PEOPLE,
        &[
            required("username", Expect::Text),
            key("role", Expect::Text),
            key("dateIn", Expect::Text),
            key("dateOut", Expect::Text),
            key("replacedByUsername", Expect::Text),
        ],
    ],
};

static ROLE: Shape = Shape {
    what: "role",
    keys: &[&[
        key("id", Expect::Text),
        required("role", Expect::Text),
        key("description", Expect::Text),
        key("access", Expect::Text),
        key("firstLevelApprovers", Expect::Text),
        key("secondLevelApprovers", Expect::Text),
        key("customProperties", CUSTOM_PROPERTIES),
    ]],
};

static SLA: Shape = Shape {
    what: "service level",
    keys: &[&[
        key("id", Expect::Text),
        required("property", Expect::Text),
        required("value", Expect::Scalar),
        key("valueExt", Expect::Scalar),
        key("unit", Expect::Text),
        key("element", Expect::Text),
        key("driver", Expect::Text),
        key("description", Expect::Text),
        key("scheduler", Expect::Text),
        key("schedule", Expect::Text),
        new_key("customProperties", CUSTOM_PROPERTIES),
        new_key("authoritativeDefinitions", DEFINITIONS),
    ]],
};
