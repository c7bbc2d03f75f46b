//! `schema[]`: objects and their properties.

use super::{CONTEXT, CUSTOM_PROPERTIES, DEFINITIONS, TAGS, quality};
use crate::contract::shape::{Expect, Key, Shape, key, new_key, required};

static ELEMENT: &[Key] = &[
    key("id", Expect::Text),
    key("physicalName", Expect::Text),
    key("physicalType", Expect::Text),
    key("description", Expect::Text),
    key("businessName", Expect::Text),
    key("tags", TAGS),
    key("authoritativeDefinitions", DEFINITIONS),
    key("customProperties", CUSTOM_PROPERTIES),
    key("quality", Expect::List(&Expect::Map(&quality::RULE))),
    key("relationships", Expect::List(&Expect::Map(&RELATIONSHIP))),
    new_key("deprecated", Expect::Bool),
    new_key("synonyms", Expect::List(&Expect::Either(&Expect::Text, &Expect::Map(&SYNONYM)))),
];

pub static OBJECT: Shape = Shape {
    what: "schema object",
    keys: &[
        ELEMENT,
        &[
            required("name", Expect::Text),
            key("logicalType", Expect::Word(&["object"])),
            key("dataGranularityDescription", Expect::Text),
            required("properties", Expect::List(&Expect::Map(&PROPERTY))),
            new_key("context", CONTEXT),
        ],
    ],
};

static VALUE: &[Key] = &[
    key("logicalType", Expect::Text),
    key("logicalTypeOptions", Expect::Any),
    key("primaryKey", Expect::Bool),
    key("primaryKeyPosition", Expect::Integer),
    key("required", Expect::Bool),
    key("unique", Expect::Bool),
    key("partitioned", Expect::Bool),
    key("partitionKeyPosition", Expect::Integer),
    key("classification", Expect::Text),
    key("encryptedName", Expect::Text),
    key("criticalDataElement", Expect::Bool),
    key("transformSourceObjects", Expect::List(&Expect::Text)),
    key("transformLogic", Expect::Text),
    key("transformDescription", Expect::Text),
    key("examples", Expect::List(&Expect::Any)),
    key("items", Expect::Map(&ITEM)),
    key("properties", Expect::List(&Expect::Map(&PROPERTY))),
    new_key("semanticType", Expect::Word(&["column", "measure", "dimension"])),
    new_key("enum", Expect::List(&Expect::Map(&ENUM_VALUE))),
    new_key("map", Expect::Any),
];

static PROPERTY: Shape = Shape { what: "property", keys: &[ELEMENT, VALUE, &[required("name", Expect::Text)]] };

static ITEM: Shape = Shape { what: "items", keys: &[ELEMENT, VALUE, &[key("name", Expect::Text)]] };

static RELATIONSHIP: Shape = Shape {
    what: "relationship",
    keys: &[&[
        new_key("id", Expect::Text),
        key("type", Expect::Word(&["foreignKey"])),
        key("from", Expect::Either(&Expect::Text, &Expect::List(&Expect::Text))),
        required("to", Expect::Either(&Expect::Text, &Expect::List(&Expect::Text))),
        key("customProperties", CUSTOM_PROPERTIES),
    ]],
};

static SYNONYM: Shape = Shape {
    what: "synonym",
    keys: &[&[
        key("id", Expect::Text),
        required("synonym", Expect::Text),
        key("description", Expect::Text),
        key("locale", Expect::Text),
        key("source", Expect::Text),
        key("status", Expect::Text),
        key("customProperties", CUSTOM_PROPERTIES),
    ]],
};

static ENUM_VALUE: Shape = Shape {
    what: "enum value",
    keys: &[&[
        key("id", Expect::Text),
        required("value", Expect::Scalar),
        key("label", Expect::Text),
        key("description", Expect::Text),
        key("tags", TAGS),
        key("customProperties", CUSTOM_PROPERTIES),
        key("authoritativeDefinitions", DEFINITIONS),
    ]],
};

/// The options that a logical type takes in a minor version of the standard; none for types that have no options.
pub fn type_options(logical_type: &str, minor: u64) -> Option<&'static Shape> {
    Some(match logical_type {
        "string" => &STRING,
        "date" | "timestamp" | "time" if minor == 0 => &DATE_3_0,
        "date" => &DATE,
        "timestamp" | "time" => &TIMESTAMP,
        "integer" | "number" if minor == 0 => &NUMBER_3_0,
        "integer" | "number" => &NUMBER,
        "object" => &STRUCT,
        "array" => &ARRAY,
        _ => return None,
    })
}

const WHAT: &str = "logicalTypeOptions";

static STRING: Shape = Shape {
    what: WHAT,
    keys: &[&[
        key("minLength", Expect::Integer),
        key("maxLength", Expect::Integer),
        key("pattern", Expect::Text),
        key("format", Expect::Text),
    ]],
};

const RANGE: &[Key] = &[
    key("format", Expect::Text),
    key("minimum", Expect::Text),
    key("maximum", Expect::Text),
    key("exclusiveMinimum", Expect::Text),
    key("exclusiveMaximum", Expect::Text),
];

static DATE: Shape = Shape { what: WHAT, keys: &[RANGE] };

static TIMESTAMP: Shape =
    Shape { what: WHAT, keys: &[RANGE, &[key("timezone", Expect::Bool), key("defaultTimezone", Expect::Text)]] };

static NUMBER: Shape = Shape {
    what: WHAT,
    keys: &[&[
        key("format", Expect::Text),
        key("multipleOf", Expect::Number),
        key("minimum", Expect::Number),
        key("maximum", Expect::Number),
        key("exclusiveMinimum", Expect::Number),
        key("exclusiveMaximum", Expect::Number),
    ]],
};

/// In version 3.0 they say whether the bound itself is left out; later versions write the bound in their place.
const EXCLUSIVE_3_0: &[Key] = &[key("exclusiveMinimum", Expect::Bool), key("exclusiveMaximum", Expect::Bool)];

/// Version 3.0 has no timestamps; the keys of later versions for them are read all the same.
static DATE_3_0: Shape = Shape {
    what: WHAT,
    keys: &[
        EXCLUSIVE_3_0,
        &[
            key("format", Expect::Text),
            key("minimum", Expect::Text),
            key("maximum", Expect::Text),
            key("timezone", Expect::Bool),
            key("defaultTimezone", Expect::Text),
        ],
    ],
};

static NUMBER_3_0: Shape = Shape {
    what: WHAT,
    keys: &[
        EXCLUSIVE_3_0,
        &[
            key("format", Expect::Text),
            key("multipleOf", Expect::Number),
            key("minimum", Expect::Number),
            key("maximum", Expect::Number),
        ],
    ],
};

static STRUCT: Shape = Shape {
    what: WHAT,
    keys: &[&[
        key("minProperties", Expect::Integer),
        key("maxProperties", Expect::Integer),
        key("required", Expect::List(&Expect::Text)),
    ]],
};

static ARRAY: Shape = Shape {
    what: WHAT,
    keys: &[&[key("minItems", Expect::Integer), key("maxItems", Expect::Integer), key("uniqueItems", Expect::Bool)]],
};
