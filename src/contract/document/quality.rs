//! `quality[]`.

use super::{CUSTOM_PROPERTIES, DEFINITIONS, TAGS};
use crate::contract::shape::{Expect, Shape, key};

/// All keys of all four types; which belong together is checked by `check::quality`.
pub static RULE: Shape = Shape {
    what: "quality rule",
    keys: &[&[
        key("id", Expect::Text),
        key("name", Expect::Text),
        key("description", Expect::Text),
        key("type", Expect::Word(&["text", "library", "sql", "custom"])),
        key(
            "dimension",
            Expect::Word(&[
                "accuracy",
                "completeness",
                "conformity",
                "consistency",
                "coverage",
                "timeliness",
                "uniqueness",
            ]),
        ),
        key("severity", Expect::Text),
        key("businessImpact", Expect::Text),
        key("method", Expect::Text),
        key("schedule", Expect::Text),
        key("scheduler", Expect::Text),
        key("unit", Expect::Text),
        key("tags", TAGS),
        key("authoritativeDefinitions", DEFINITIONS),
        key("customProperties", CUSTOM_PROPERTIES),
        key("metric", Expect::Word(&["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"])),
        key("rule", Expect::Text),
        key("arguments", Expect::Map(&ARGUMENTS)),
        key("validValues", Expect::List(&Expect::Scalar)),
        key("query", Expect::Text),
        key("engine", Expect::Text),
        key("implementation", Expect::Any),
        key("mustBe", Expect::Scalar),
        key("mustNotBe", Expect::Scalar),
        key("mustBeGreaterThan", Expect::Number),
        key("mustBeGreaterOrEqualTo", Expect::Number),
        key("mustBeLessThan", Expect::Number),
        key("mustBeLessOrEqualTo", Expect::Number),
        key("mustBeBetween", Expect::List(&Expect::Number)),
        key("mustNotBeBetween", Expect::List(&Expect::Number)),
    ]],
};

static ARGUMENTS: Shape = Shape {
    what: "arguments",
    keys: &[&[
        key("missingValues", Expect::List(&Expect::Any)),
        key("validValues", Expect::List(&Expect::Any)),
        key("pattern", Expect::Text),
        key("properties", Expect::List(&Expect::Text)),
    ]],
};
