//! `quality[]`: checked so that a later run cannot fail on how a rule is written.

use super::{Words, tags};
use crate::contract::locate::{Node, Value};
use crate::contract::model::QualityRule;
use crate::contract::shape::{Findings, quote};
use crate::diagnostic::did_you_mean;

/// What the rules are about.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// A dataset with these columns.
    Object(&'a [&'a str]),
    Property,
}

const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// Library metrics; the last three are names of version 3.0, in which a rule may have any name.
const METRICS: [&str; 8] = [
    "nullValues",
    "missingValues",
    "invalidValues",
    "duplicateValues",
    "rowCount",
    "duplicateCount",
    "validValues",
    "nullCheck",
];

pub fn check(node: &Node, of: Of<'_>, words: Words<'_>, findings: &mut Findings<'_>) -> Vec<QualityRule> {
    node.list("quality").iter().filter_map(|rule| one(rule, of, words, findings)).collect()
}

fn one(rule: &Node, of: Of<'_>, words: Words<'_>, findings: &mut Findings<'_>) -> Option<QualityRule> {
    tags(rule, words, findings);
    let kind = match rule.get("type") {
        Some(node) => node.text()?,
        None if rule.get("query").is_some() => "sql",
        None if rule.get("engine").is_some() => "custom",
        None => "library",
    };
    let named = match kind {
        "library" => library(rule, of, findings)?,
        "sql" => {
            operator(rule, findings);
            sql(rule, findings);
            kind
        }
        "custom" => {
            for key in ["engine", "implementation"] {
                if rule.get(key).is_none() {
                    findings.error(rule.at, format!("a custom quality rule has no `{key}`"), format!("add `{key}:`"));
                }
            }
            kind
        }
        _ => kind,
    };
    Some(QualityRule { name: rule.owned("name"), kind: named.to_owned(), description: rule.owned("description") })
}

fn library<'r>(rule: &'r Node, of: Of<'_>, findings: &mut Findings<'_>) -> Option<&'r str> {
    let Some(node) = rule.get("metric").or_else(|| rule.get("rule")) else {
        findings.error(
            rule.at,
            "a quality rule has no `metric`",
            "add `metric:`, for example `nullValues`, or `type: text`",
        );
        return None;
    };
    let metric = node.text()?;
    if !METRICS.contains(&metric) {
        // A wrong `metric` is told by the shape already; `rule` is the older spelling of the key.
        if rule.get("metric").is_none() {
            if findings.minor == 0 {
                operator(rule, findings);
                return Some(metric);
            }
            findings.unknown(node.at, format!("`{}` is not a metric", quote(metric)), metric, METRICS);
        }
        return None;
    }
    let arguments = rule.get("arguments");
    let has = |key: &str| arguments.is_some_and(|node| node.get(key).is_some());
    match (metric, of) {
        ("nullValues" | "missingValues" | "invalidValues", Of::Object(_)) => {
            findings.error(node.at, format!("`{metric}` is about one column"), "move the rule to a property");
        }
        ("rowCount", Of::Property) => {
            findings.error(node.at, "`rowCount` is about the whole dataset", "move the rule to the schema object");
        }
        ("duplicateValues", Of::Object(names)) => columns(rule, arguments, names, findings),
        ("validValues", Of::Property)
            if findings.minor == 0 && rule.list("validValues").is_empty() && !has("validValues") =>
        {
            findings.error(node.at, "`validValues` does not say what is valid", "add `validValues:` with the values");
        }
        ("invalidValues", Of::Property) if !has("validValues") && !has("pattern") => {
            findings.error(
                node.at,
                "`invalidValues` does not say what is valid",
                "add `arguments:` with `validValues` or `pattern`",
            );
        }
        ("missingValues", Of::Property) if !has("missingValues") => {
            findings.error(
                node.at,
                "`missingValues` does not say what counts as missing",
                "add `arguments:` with `missingValues`",
            );
        }
        _ => {}
    }
    operator(rule, findings);
    if let Some(unit) = rule.get("unit")
        && let Some(text) = unit.text()
        && findings.minor > 0
        && !matches!(text, "rows" | "percent")
    {
        findings.unknown(unit.at, format!("`{}` is not a unit of quality", quote(text)), text, ["rows", "percent"]);
    }
    Some(metric)
}

fn columns(rule: &Node, arguments: Option<&Node>, names: &[&str], findings: &mut Findings<'_>) {
    let list = arguments.map(|node| node.list("properties")).unwrap_or_default();
    if list.is_empty() {
        findings.error(
            rule.at,
            "`duplicateValues` of a dataset does not say which columns",
            "add `arguments:` with `properties: [order_id]`",
        );
    }
    for item in list {
        let Some(text) = item.text() else { continue };
        // `orders.order_id` is the standard's longer spelling.
        let column = text.rsplit('.').next().unwrap_or(text);
        if !names.contains(&column) {
            let hint = did_you_mean(column, names.iter().copied())
                .unwrap_or_else(|| "use a column of this dataset".to_owned());
            findings.error(item.at, format!("`{}` is not a column of this dataset", quote(text)), hint);
        }
    }
}

/// Exactly one operator; in version 3.0 at most one, since a rule such as `validValues` or `nullCheck` says by itself what is expected.
fn operator(rule: &Node, findings: &mut Findings<'_>) {
    let mut given = rule.entries().iter().filter(|entry| OPERATORS.contains(&entry.key.as_str()));
    let Some(first) = given.next() else {
        if findings.minor == 0 {
            return;
        }
        let hint = "add one, for example `mustBe: 0`";
        return findings.error(rule.at, "a quality rule says nothing of what its measurement must be", hint);
    };
    for second in given {
        findings.error(
            second.at,
            format!("a quality rule has one operator, but this has `{}` and `{}`", first.key, second.key),
            "write two rules",
        );
    }
    if first.key.ends_with("Between")
        && let Value::List(bounds) = &first.value.value
    {
        let numbers: Vec<f64> = bounds.iter().filter_map(Node::number).collect();
        let ordered = matches!(numbers.as_slice(), [low, high] if low < high);
        if bounds.len() != 2 || (numbers.len() == 2 && !ordered) {
            findings.error(
                first.value.at,
                format!("`{}` takes two numbers, the lower first", first.key),
                "write `[1, 100]`; both bounds are included",
            );
        }
    }
}

fn sql(rule: &Node, findings: &mut Findings<'_>) {
    let Some(query) = rule.get("query") else {
        findings.error(rule.at, "an SQL quality rule has no `query`", "add `query:` with one SELECT");
        return;
    };
    let Some(text) = query.text() else { return };
    let word = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    if !matches!(word.as_str(), "select" | "with") {
        findings.error(query.at, "a quality query must only read", "start it with SELECT or WITH");
    }
}
