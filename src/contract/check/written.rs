//! How texts write the dates and times of a column, or of the elements of a list: `logicalTypeOptions.format`, or `meshgateEpoch`.

use arrow::datatypes::DataType;

use crate::contract::locate::Node;
use crate::contract::pattern::{EpochUnit, Pattern, TimeFormat};
use crate::contract::shape::{Findings, quote};

/// Our extension property of a property.
pub const EPOCH: &str = "meshgateEpoch";

/// Of a property or of `items`. None where the contract says nothing, or says what is not read.
pub fn check(property: &Node, data_type: &DataType, in_texts: bool, findings: &mut Findings<'_>) -> Option<TimeFormat> {
    let format = format(property).filter(|_| in_texts && is_time(data_type));
    if let Some(epoch) = epoch(property) {
        if !in_texts || !matches!(data_type, DataType::Timestamp(..)) {
            let hint = "it says how CSV and JSON write a `timestamp`";
            findings.error(epoch.at, format!("`{EPOCH}` has no meaning here"), hint);
            return None;
        }
        if let Some(format) = format {
            findings.error(format.at, format!("`format` and `{EPOCH}` are said of one column"), "remove one of them");
            return None;
        }
        let unit = EpochUnit::ALL.into_iter().find(|(name, _)| epoch.text() == Some(*name));
        if unit.is_none() {
            let units = EpochUnit::ALL.map(|(name, _)| format!("`{name}`")).join(", ");
            findings.error(epoch.at, format!("`{EPOCH}` is a unit of time"), format!("write one of {units}"));
        }
        return unit.map(|(_, unit)| TimeFormat::Epoch(unit));
    }
    let pattern = format.and_then(|node| Some((node, node.text()?))).and_then(|(node, text)| {
        let parsed = Pattern::parse(text, data_type);
        parsed.map_err(|(why, hint)| findings.error(node.at, format!("{why} (`{}`)", quote(text)), hint)).ok()
    });
    if in_texts && !pattern.as_ref().is_some_and(Pattern::has_offset) {
        in_utc(property, data_type, findings);
    }
    pattern.map(TimeFormat::Pattern)
}

/// A text without an offset is taken for UTC, which it must not be where the contract says another zone.
fn in_utc(property: &Node, data_type: &DataType, findings: &mut Findings<'_>) {
    let zone = property.get("logicalTypeOptions").and_then(|options| options.get("defaultTimezone"));
    let Some((node, text)) = zone.and_then(|node| Some((node, node.text()?))) else { return };
    let is_utc = ["UTC", "Etc/UTC", "Z", "GMT"].iter().any(|name| text.eq_ignore_ascii_case(name));
    if matches!(data_type, DataType::Timestamp(_, Some(_))) && !is_utc {
        let what = format!("texts without an offset are read in UTC, not in `{}`", quote(text));
        findings.unsupported(node.at, what, "write times in UTC, or with offsets and a `format` that ends with `XXX`");
    }
}

fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_))
}

fn format(property: &Node) -> Option<&Node> {
    property.get("logicalTypeOptions")?.get("format")
}

fn epoch(property: &Node) -> Option<&Node> {
    let ours = property.list("customProperties").iter().find(|item| item.text_of("property") == Some(EPOCH));
    ours?.get("value")
}
