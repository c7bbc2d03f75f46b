//! Rows that are expected against rows that are seen.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;

use super::rows;
use crate::contract::locate::{Node, Value};
use crate::diagnostic::{Diagnostic, Kind, Place};

/// Rows that a finding lists.
const LISTED: usize = 5;

/// A finding unless every expected row is one of the seen, and every seen row is expected. Order does not count.
pub fn rows(test: &str, place: &Place, expected: &[Node], seen: &RecordBatch) -> Option<Diagnostic> {
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|row| (0..seen.num_rows()).filter(|at| differences(row, seen, *at).is_empty()).collect())
        .collect();
    let taken = assign(&fits, seen.num_rows());
    let missing: Vec<&Node> =
        expected.iter().enumerate().filter(|(at, _)| !taken.contains(&Some(*at))).map(|(_, row)| row).collect();
    let mut extra: Vec<usize> = (0..seen.num_rows()).filter(|at| taken.get(*at).is_none_or(Option::is_none)).collect();
    if missing.is_empty() && extra.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    for row in &missing {
        // The seen row that it was most likely meant to be.
        let near = extra.iter().enumerate().map(|(at, seen_at)| (differences(row, seen, *seen_at).len(), at)).min();
        match near.filter(|(wrong, _)| *wrong < row.entries().len()) {
            Some((_, at)) => {
                let seen_at = extra.remove(at);
                let wrong = differences(row, seen, seen_at).join(", ");
                lines.push(format!("row {}: {wrong}", shown(row)));
            }
            None => lines.push(format!("expected, not shown: {}", shown(row))),
        }
    }
    let named: Vec<&str> =
        expected.first().map(|row| row.entries().iter().map(|e| e.key.as_str()).collect()).unwrap_or_default();
    lines.extend(extra.iter().map(|at| format!("shown, not expected: {}", actual(seen, *at, &named))));
    let more = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    let at = match missing.as_slice() {
        [row, ..] => Place { line: row.at.line, column: row.at.column, ..place.clone() },
        [] => place.clone(),
    };
    let message =
        format!("test `{test}`: other rows are shown than are expected ({} and {})", seen.num_rows(), expected.len());
    Some(lines.into_iter().fold(Diagnostic::error(Kind::Invalid, message).at(at), Diagnostic::hint))
}

/// For each seen row the expected row it stands for: a largest matching, by augmenting paths, since a row that names few
/// columns may fit many.
fn assign(fits: &[Vec<usize>], seen: usize) -> Vec<Option<usize>> {
    fn place(row: usize, fits: &[Vec<usize>], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
        for at in fits.get(row).into_iter().flatten() {
            if tried.get(*at).copied().unwrap_or(true) {
                continue;
            }
            if let Some(tried) = tried.get_mut(*at) {
                *tried = true;
            }
            let holder = taken.get(*at).copied().flatten();
            if holder.is_none_or(|holder| place(holder, fits, taken, tried)) {
                if let Some(slot) = taken.get_mut(*at) {
                    *slot = Some(row);
                }
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; seen];
    for row in 0..fits.len() {
        place(row, fits, &mut taken, &mut vec![false; seen]);
    }
    taken
}

/// What is not as expected in one row: `amount is 10.00, expected 12.00`.
fn differences(expected: &Node, seen: &RecordBatch, at: usize) -> Vec<String> {
    let mut out = Vec::new();
    for entry in expected.entries() {
        match seen.column_by_name(&entry.key) {
            None => out.push(format!("`{}` is absent, expected {}", entry.key, shown(&entry.value))),
            Some(column) => compare(&entry.key, &entry.value, column, at, &mut out),
        }
    }
    out
}

fn compare(path: &str, expected: &Node, seen: &ArrayRef, at: usize, out: &mut Vec<String>) {
    if let (Value::Map(entries), Some(parts)) = (&expected.value, seen.as_struct_opt())
        && !seen.is_null(at)
    {
        for entry in entries {
            let path = format!("{path}.{}", entry.key);
            match parts.column_by_name(&entry.key) {
                None => out.push(format!("`{path}` is absent, expected {}", shown(&entry.value))),
                Some(part) => compare(&path, &entry.value, part, at, out),
            }
        }
        return;
    }
    let same = match (&expected.value, seen.is_null(at)) {
        (Value::Null, null) => null,
        (_, true) => false,
        _ => rows::cell(expected, seen.data_type())
            .is_ok_and(|cell| text(&cell, 0).is_some() && text(&cell, 0) == text(seen, at)),
    };
    if !same {
        out.push(format!("`{path}` is {}, expected {}", value(seen, at), shown(expected)));
    }
}

fn text(array: &ArrayRef, at: usize) -> Option<String> {
    array_value_to_string(array, at).ok()
}

fn value(array: &ArrayRef, at: usize) -> String {
    if array.is_null(at) { "NULL".to_owned() } else { text(array, at).unwrap_or_default() }
}

/// A seen row by the columns that the author speaks of.
fn actual(seen: &RecordBatch, at: usize, named: &[&str]) -> String {
    let schema = seen.schema();
    let cells = schema.fields().iter().zip(seen.columns());
    let cells = cells.filter(|(field, _)| named.is_empty() || named.contains(&field.name().as_str()));
    let cells = cells.map(|(field, column)| format!("{}: {}", field.name(), value(column, at)));
    short(&format!("{{ {} }}", cells.collect::<Vec<_>>().join(", ")))
}

fn shown(node: &Node) -> String {
    short(&match &node.value {
        Value::Null => "NULL".to_owned(),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", entry.key, shown(&entry.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        _ => node.scalar().unwrap_or_default(),
    })
}

fn short(text: &str) -> String {
    let mut out: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect();
    if text.chars().count() > 160 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;
    use crate::contract::locate::parse;

    fn told(expected: &str) -> Vec<String> {
        let seen = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
            ("region", Arc::new(StringArray::from(vec![Some("EU"), None])) as ArrayRef),
        ])
        .unwrap();
        let tree = parse(&format!("rows: {expected}\n"), "t.yaml").unwrap();
        let place = Place { file: "t.yaml".to_owned(), line: 1, column: 1 };
        let found = rows("t", &place, tree.list("rows"), &seen);
        found.map(|found| [vec![found.place.unwrap().to_string()], found.hints].concat()).unwrap_or_default()
    }

    #[test]
    fn rows_agree_in_any_order_by_the_columns_that_are_named() {
        assert_eq!(told("[{id: 2, region: ~}, {region: EU}]"), [""; 0]);
        // The first fits both rows, the second only one of them.
        assert_eq!(told("[{}, {id: 1}]"), [""; 0]);
        assert_eq!(told("[{id: 1}, {}]"), [""; 0]);
    }

    #[test]
    fn a_difference_is_told_by_cell_and_row() {
        assert_eq!(
            told("[{id: 1, region: US}, {id: 2}]"),
            ["t.yaml:1:8", "row { id: 1, region: US }: `region` is EU, expected US"]
        );
        assert_eq!(told("[{id: 1}]"), ["t.yaml:1:1", "shown, not expected: { id: 2 }"]);
        assert_eq!(
            told("[{id: 1}, {id: 2}, {id: 3, region: EU}]"),
            ["t.yaml:1:26", "expected, not shown: { id: 3, region: EU }"]
        );
        assert_eq!(told("[{id: 1}, {id: 2, card: 7}]")[1], "row { id: 2, card: 7 }: `card` is absent, expected 7");
        assert_eq!(told("[{id: 1}, {id: two}]").len(), 3, "a value that is no number is no number");
    }
}
