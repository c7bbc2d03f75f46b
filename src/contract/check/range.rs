//! `minimum` and `maximum` of `logicalTypeOptions` → the range that a column's values lie in.

use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::contract::locate::Node;
use crate::contract::model::Range;
use crate::contract::shape::{Findings, quote};

/// What is promised by both ends; a range with one end says nothing of a value's place in it.
pub fn check(options: Option<&Node>, data_type: &DataType, findings: &mut Findings<'_>) -> Option<Range> {
    let mut end = |inclusive, exclusive| {
        let node = options?.get(inclusive).or_else(|| options?.get(exclusive))?;
        let found = number(node, data_type);
        if let (None, Some(text)) = (found, node.text()) {
            let message = format!("`{}` is not understood as a {}", quote(text), word(data_type));
            findings.warning(node.at, message, "write it as in 2026-01-31 or 2026-01-31T23:59:59Z; it is ignored");
        }
        Some((found?, node.at))
    };
    let ((least, _), (greatest, at)) = (end("minimum", "exclusiveMinimum")?, end("maximum", "exclusiveMaximum")?);
    if least > greatest {
        findings.error(at, "the maximum is less than the minimum", "exchange them");
        return None;
    }
    Some(Range { least, greatest })
}

fn word(data_type: &DataType) -> &'static str {
    if matches!(data_type, DataType::Date32) { "date" } else { "timestamp" }
}

#[expect(clippy::cast_precision_loss, reason = "the planner estimates with it")]
fn number(node: &Node, data_type: &DataType) -> Option<f64> {
    match data_type {
        DataType::Date32 => {
            let date = NaiveDate::parse_from_str(node.text()?, "%Y-%m-%d").ok()?;
            Some(f64::from(date.to_epoch_days()))
        }
        DataType::Timestamp(..) => {
            let text = node.text()?;
            let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_micros()).ok();
            let plain = || {
                let plain = |format| NaiveDateTime::parse_from_str(text, format).ok();
                let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
                plain("%Y-%m-%dT%H:%M:%S%.f").or_else(|| plain("%Y-%m-%d %H:%M:%S%.f")).or_else(day)
            };
            let micros = zoned.or_else(|| plain().map(|at| at.and_utc().timestamp_micros()))?;
            Some(micros as f64)
        }
        _ => node.number(),
    }
}
