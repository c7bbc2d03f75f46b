//! The part of a result that a screen can show: its head, its tail, and how many rows lie between.

use std::borrow::Cow;
use std::collections::VecDeque;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::ArrayFormatter;

use super::cell;
use crate::query::EXPOSURE;

/// Stands behind the name of a column whose values are masked.
pub(super) const MASKED: char = '▒';

/// Keeps at most `limit` rows (and the rest of the batches they stand in), however many pass.
pub(super) struct Window {
    schema: SchemaRef,
    limit: usize,
    head: Vec<RecordBatch>,
    head_rows: usize,
    tail: VecDeque<RecordBatch>,
    tail_rows: usize,
    total: usize,
}

impl Window {
    pub(super) fn new(schema: SchemaRef, limit: usize) -> Self {
        Self {
            schema,
            limit: limit.max(2),
            head: Vec::new(),
            head_rows: 0,
            tail: VecDeque::new(),
            tail_rows: 0,
            total: 0,
        }
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) {
        let rows = batch.num_rows();
        self.total += rows;
        let head_limit = self.limit.div_ceil(2);
        let tail_limit = self.limit - head_limit;
        let to_head = rows.min(head_limit - self.head_rows);
        if to_head > 0 {
            self.head.push(batch.slice(0, to_head));
            self.head_rows += to_head;
        }
        if rows > to_head {
            // Only the last rows of a batch can ever be in the tail.
            let keep = (rows - to_head).min(tail_limit);
            self.tail.push_back(batch.slice(rows - keep, keep));
            self.tail_rows += keep;
        }
        while let Some(front) = self.tail.front()
            && self.tail_rows > tail_limit
        {
            let excess = self.tail_rows - tail_limit;
            let rows = front.num_rows();
            let rest = (rows > excess).then(|| front.slice(excess, rows - excess));
            self.tail.pop_front();
            self.tail_rows -= rows.min(excess);
            if let Some(rest) = rest {
                self.tail.push_front(rest);
            }
        }
    }

    /// The kept rows as text.
    ///
    /// # Errors
    /// A column whose type cannot be shown.
    pub(super) fn into_grid(self) -> Result<Grid, ArrowError> {
        let mut rows = Vec::with_capacity(self.head_rows + self.tail_rows);
        for batch in self.head.iter().chain(&self.tail) {
            texts(batch, &mut rows)?;
        }
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| Heading {
                name: cell::plain(field.name()).into_owned(),
                masks: field.metadata().get(EXPOSURE).map(|masks| cell::plain(masks).into_owned()),
                type_name: cell::type_name(field.data_type()),
                number: cell::is_number(field.data_type()),
                whole: cell::is_short_and_whole(field.data_type()),
            })
            .collect();
        let between = self.total - self.head_rows - self.tail_rows;
        let cut = (between > 0).then_some(Cut { after: self.head_rows, rows: between });
        Ok(Grid { columns, rows, total: self.total, cut })
    }
}

fn texts(batch: &RecordBatch, rows: &mut Vec<Vec<Option<String>>>) -> Result<(), ArrowError> {
    let options = cell::options();
    let formatters = batch
        .columns()
        .iter()
        .map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)))
        .collect::<Result<Vec<_>, ArrowError>>()?;
    for row in 0..batch.num_rows() {
        rows.push(
            formatters
                .iter()
                .map(|(column, formatter)| {
                    // `logical_nulls` would be needed for dictionaries of NULL; those draw the word undimmed.
                    let null = column.is_null(row) || *column.data_type() == arrow::datatypes::DataType::Null;
                    (!null).then(|| cell::value(&formatter.value(row).to_string()).into_owned())
                })
                .collect(),
        );
    }
    Ok(())
}

/// Rows as text, `None` for NULL.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) columns: Vec<Heading>,
    pub(super) rows: Vec<Vec<Option<String>>>,
    /// Rows of the whole result.
    pub(super) total: usize,
    pub(super) cut: Option<Cut>,
}

#[derive(Debug, Clone)]
pub(super) struct Heading {
    pub(super) name: String,
    /// How its values are masked, where the server says that they are.
    pub(super) masks: Option<String>,
    pub(super) type_name: String,
    /// Numbers stand to the right.
    pub(super) number: bool,
    /// Its values are never shortened.
    pub(super) whole: bool,
}

/// The rows that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) after: usize,
    pub(super) rows: usize,
}

impl Heading {
    /// The name with the mark of a masked column.
    pub(super) fn title(&self) -> Cow<'_, str> {
        if self.masks.is_some() { Cow::Owned(format!("{} {MASKED}", self.name)) } else { Cow::Borrowed(&self.name) }
    }
}

impl Grid {
    /// Shows at most `limit` rows, the missing ones taken from the middle.
    pub(super) fn cut_to(&mut self, limit: usize) {
        let limit = limit.max(2);
        if self.rows.len() <= limit {
            return;
        }
        let head = limit.div_ceil(2);
        let tail = self.rows.len() - (limit - head);
        self.rows.drain(head..tail);
        self.cut = Some(Cut { after: head, rows: self.total - self.rows.len() });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn numbers(from: i64, to: i64) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(from..to))]).unwrap()
    }

    fn check(limit: usize, batches: &[(i64, i64)], rows: &str, cut: Option<(usize, usize)>) {
        let mut window = Window::new(numbers(0, 0).schema(), limit);
        for (from, to) in batches {
            window.push(&numbers(*from, *to));
        }
        let grid = window.into_grid().unwrap();
        let got: Vec<String> = grid.rows.iter().map(|row| row[0].clone().unwrap()).collect();
        assert_eq!(got.join(" "), rows);
        assert_eq!(grid.cut.map(|cut| (cut.after, cut.rows)), cut);
    }

    #[test]
    fn head_and_tail_stay_whatever_the_batches() {
        check(4, &[(0, 4)], "0 1 2 3", None);
        check(4, &[(0, 1), (1, 2), (2, 3), (3, 4)], "0 1 2 3", None);
        check(4, &[(0, 1_000)], "0 1 998 999", Some((2, 996)));
        check(5, &[(0, 2), (2, 5), (5, 6), (6, 8)], "0 1 2 6 7", Some((3, 3)));
        check(4, &[], "", None);
    }

    #[test]
    fn memory_does_not_grow_with_the_result() {
        let mut window = Window::new(numbers(0, 0).schema(), 40);
        for start in 0..1_000 {
            window.push(&numbers(start, start + 1_000));
        }
        assert_eq!((window.total, window.head.len(), window.tail.len()), (1_000_000, 1, 1));
    }

    #[test]
    fn a_grid_can_be_cut_further() {
        let mut window = Window::new(numbers(0, 0).schema(), 10);
        window.push(&numbers(0, 100));
        let mut grid = window.into_grid().unwrap();
        grid.cut_to(4);
        let got: Vec<String> = grid.rows.iter().map(|row| row[0].clone().unwrap()).collect();
        assert_eq!(got, ["0", "1", "98", "99"]);
        assert_eq!(grid.cut, Some(Cut { after: 2, rows: 96 }));
    }
}
