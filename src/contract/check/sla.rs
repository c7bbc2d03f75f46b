//! `slaProperties[]`.

use crate::contract::locate::Node;
use crate::contract::model::SlaProperty;
use crate::contract::shape::{Findings, quote};

/// Properties that are lengths of time, with their two-letter synonyms.
const DURATIONS: [&str; 13] = [
    "latency",
    "ly",
    "freshness",
    "retention",
    "re",
    "frequency",
    "fy",
    "timetodetect",
    "td",
    "timetonotify",
    "tn",
    "timetorepair",
    "tr",
];

const UNITS: [&str; 29] = [
    "s", "sec", "second", "seconds", "min", "mins", "minute", "minutes", "h", "hr", "hour", "hours", "d", "day",
    "days", "w", "wk", "week", "weeks", "mo", "month", "months", "q", "quarter", "quarters", "y", "yr", "year",
    "years",
];

pub fn check(tree: &Node, findings: &mut Findings<'_>) -> Vec<SlaProperty> {
    let default_element = tree.owned("slaDefaultElement");
    let mut found = Vec::new();
    for node in tree.list("slaProperties") {
        let Some(property) = node.text_of("property") else { continue };
        let duration = DURATIONS.contains(&property.to_ascii_lowercase().as_str());
        if let Some(unit) = node.get("unit")
            && let Some(text) = unit.text()
        {
            if text == "m" {
                findings.error(unit.at, "`m` may mean minutes or months", "write `min` or `mo`");
            } else if duration && !UNITS.contains(&text.to_ascii_lowercase().as_str()) {
                let message = format!("`{}` is not a unit of time", quote(text));
                findings.unknown(unit.at, message, text, ["s", "min", "h", "d", "w", "mo", "y"]);
            }
        }
        if let Some(value) = node.get("value")
            && duration
        {
            if value.number().is_none_or(|n| n < 0.0) {
                findings.error(
                    value.at,
                    format!("`{}` must be a number from 0", quote(property)),
                    "write a number, without quotes",
                );
            }
            if node.get("unit").is_none() {
                findings.error(
                    node.at,
                    format!("`{}` has no `unit`", quote(property)),
                    "add `unit:`, one of s, min, h, d, w, mo, y",
                );
            }
        }
        if let Some(element) = node.get("element") {
            known_elements(element, tree, findings);
        }
        if let Some(value) = node.get("value").and_then(Node::scalar) {
            found.push(SlaProperty {
                property: property.to_owned(),
                value,
                unit: node.owned("unit"),
                element: node.owned("element").or_else(|| default_element.clone()),
            });
        }
    }
    found
}

/// `orders` or `orders.ordered_at`, several by comma.
fn known_elements(element: &Node, tree: &Node, findings: &mut Findings<'_>) {
    for part in element.text().unwrap_or_default().split(',').map(str::trim) {
        let (object, column) = part.split_once('.').map_or((part, None), |(object, column)| (object, Some(column)));
        let found = tree.list("schema").iter().find(|node| node.text_of("name") == Some(object));
        let top = |column: &str| column.split('.').next().unwrap_or_default().to_owned();
        let known = found.is_some_and(|node| {
            column.is_none_or(|column| node.list("properties").iter().any(|p| p.text_of("name") == Some(&top(column))))
        });
        if !known {
            findings.warning(
                element.at,
                format!("`{}` is not a dataset or column of this contract", quote(part)),
                "write `dataset.column`",
            );
        }
    }
}
