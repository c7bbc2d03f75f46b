//! The answer of `EXPLAIN ACCESS` for people: a heading for each dataset, a line for its rows and for each column.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, RecordBatch};

use super::cell::plain;

/// What the columns of the answer are called, and in which order; a further one is no matter.
const COLUMNS: [&str; 8] = ["product", "dataset", "column", "exposure", "policies", "reason", "owner", "support"];

/// `None` where the batches are not such an answer.
pub(in crate::cli) fn render(batches: &[RecordBatch]) -> Option<String> {
    let mut lines = Vec::new();
    for batch in batches {
        let columns = COLUMNS.map(|name| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()));
        for row in 0..batch.num_rows() {
            let mut line = [""; 8];
            for (cell, column) in line.iter_mut().zip(columns) {
                let column = column?;
                *cell = if column.is_null(row) { "" } else { column.value(row) };
            }
            lines.push(line);
        }
    }
    if lines.is_empty() {
        return Some("the statement reads no product\n".to_owned());
    }
    let mut out = String::new();
    for group in lines.chunk_by(|[_, a, ..], [_, b, ..]| a == b) {
        if let Some([product, dataset, .., owner, support]) = group.first() {
            let product = if product == dataset { String::new() } else { format!("product {product}, ") };
            let support = if support.is_empty() { String::new() } else { format!(" ({})", plain(support)) };
            let owner = if owner.is_empty() { "nobody" } else { owner };
            let _ = writeln!(out, "{}: {}owner {}{support}", plain(dataset), plain(&product), plain(owner));
        }
        let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
        let names = width(&mut group.iter().map(|[_, _, column, ..]| *column));
        let exposures = width(&mut group.iter().map(|[_, _, _, exposure, ..]| *exposure));
        for [_, _, column, exposure, _, reason, ..] in group {
            let (column, exposure, reason) = (plain(column), plain(exposure), plain(reason));
            let _ = writeln!(out, "  {column:<names$}  {exposure:<exposures$}  {reason}");
        }
    }
    Some(out)
}
