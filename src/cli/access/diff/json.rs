//! The report for a tool: one object, conditions whole.

use serde_json::{Value, json};

use super::report::{Counts, DatasetChange, Person, Report};
use crate::govern::Shift;

pub fn render(report: &Report) -> String {
    let value = json!({
        "base": report.base,
        "head": report.head,
        "principals": report.principals,
        "gaining": report.gaining(),
        "losing": report.losing(),
        "widens": report.widens(),
        "added": report.added,
        "removed": report.removed,
        "notes": report.notes,
        "changes": report.people.iter().map(person).collect::<Vec<_>>(),
    });
    format!("{value:#}")
}

fn person(person: &Person) -> Value {
    let products = person.products.iter();
    let products = products.map(|p| json!({ "product": p.product, "action": p.action, "change": word(p.shift) }));
    json!({
        "principal": person.name,
        "purpose": person.purpose,
        "change": word(person.shift()),
        "products": products.collect::<Vec<_>>(),
        "datasets": person.datasets.iter().map(dataset).collect::<Vec<_>>(),
    })
}

fn dataset(change: &DatasetChange) -> Value {
    let columns = change.difference.columns.iter().map(|column| {
        json!({
            "column": column.path.to_string(),
            "before": column.before,
            "after": column.after,
            "change": word(column.shift),
        })
    });
    json!({
        "dataset": change.table.to_string(),
        "change": word(change.difference.shift),
        // False: the conditions were too many to be compared, so that the change may be a gain.
        "decided": change.difference.decided,
        "rows": {
            "before": change.rows_before,
            "after": change.rows_after,
            "change": change.difference.rows.map(word),
        },
        "counts": change.counts.as_ref().map(counts),
        "columns": columns.collect::<Vec<_>>(),
    })
}

fn counts(counts: &Counts) -> Value {
    let side = |count: &Result<u64, String>| match count {
        Ok(rows) => json!({ "rows": rows }),
        Err(why) => json!({ "error": why }),
    };
    json!({ "before": side(&counts.before), "after": side(&counts.after) })
}

fn word(shift: Shift) -> &'static str {
    match shift {
        Shift::Gains => "gains",
        Shift::Loses => "loses",
        Shift::Both => "both",
    }
}
