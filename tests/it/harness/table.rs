//! A result as text: a header of `name type` cells and one line for each row.

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

pub fn render(batches: &[RecordBatch]) -> String {
    let Some(first) = batches.first() else { return String::new() };
    let header: Vec<String> =
        first.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    let mut lines = vec![header.join(" | ")];
    let options = FormatOptions::new().with_null("NULL");
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            lines.push(cells.join(" | "));
        }
    }
    lines.join("\n")
}
