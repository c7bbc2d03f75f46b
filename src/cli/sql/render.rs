//! Rows as a box table, or one below the other.

use std::borrow::Cow;
use std::time::Duration;

use super::cell;
use super::fit::{Need, Slot, fit};
use super::window::{Grid, Heading, MASKED};
use crate::cli::output::grouped;

/// A text column keeps at least this much before others hide.
const LEAST_TEXT: usize = 8;
/// A value that is never cut still must not push everything else off the screen.
const MOST_WHOLE: usize = 40;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }
}

/// A drawn result; `hidden` columns did not fit.
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) hidden: usize,
}

/// The box table: header, types, rows; `terminal` columns wide at most.
pub(super) fn table(grid: &Grid, terminal: Option<usize>, paint: Paint) -> Drawn {
    let slots = fit(&needs(grid), terminal);
    let hidden = grid.columns.len() - slots.iter().filter(|slot| **slot != Slot::Gap).count();
    let mut lines = Vec::with_capacity(grid.rows.len() + 6);
    lines.push(border(&slots, ["┌", "┬", "┐"], paint));
    lines.push(heading(grid, &slots, paint, Heading::title, |text| paint.bold(text)));
    // Lists of names have no types.
    if grid.columns.iter().any(|column| !column.type_name.is_empty()) {
        lines.push(heading(grid, &slots, paint, |column| Cow::Borrowed(&column.type_name), |text| paint.dim(text)));
    }
    lines.push(border(&slots, ["├", "┼", "┤"], paint));
    for (index, row) in grid.rows.iter().enumerate() {
        if grid.cut.is_some_and(|cut| cut.after == index) {
            lines.push(line(&slots, paint, |_, width| centre(&paint.dim("…"), 1, width)));
        }
        for part in 0..height(row) {
            lines.push(line(&slots, paint, |column, width| {
                let number = grid.columns.get(column).is_some_and(|column| column.number);
                match row.get(column).and_then(Option::as_deref) {
                    Some(text) => align(text.lines().nth(part).unwrap_or_default(), width, number, str::to_owned),
                    None if part == 0 => align("NULL", width, number, |text| paint.dim(text)),
                    None => " ".repeat(width),
                }
            }));
        }
    }
    lines.push(border(&slots, ["└", "┴", "┘"], paint));
    Drawn { text: lines.join("\n") + "\n", hidden }
}

/// Lines that a row takes in a table.
pub(super) fn height(row: &[Option<String>]) -> usize {
    row.iter().flatten().map(|text| text.lines().count()).max().unwrap_or(1).max(1)
}

fn needs(grid: &Grid) -> Vec<Need> {
    grid.columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = grid
                .rows
                .iter()
                .map(|row| match row.get(index).and_then(Option::as_deref) {
                    Some(text) => text.lines().map(cell::width).max().unwrap_or(0),
                    None => "NULL".len(),
                })
                .max()
                .unwrap_or(0);
            let natural = cells.max(cell::width(&column.title())).max(cell::width(&column.type_name)).max(1);
            let least = if column.whole {
                cells.clamp(1, MOST_WHOLE).max(natural.min(LEAST_TEXT))
            } else {
                natural.min(LEAST_TEXT)
            };
            Need { natural, least }
        })
        .collect()
}

fn border(slots: &[Slot], [left, middle, right]: [&str; 3], paint: Paint) -> String {
    let parts: Vec<String> = slots
        .iter()
        .map(|slot| match slot {
            Slot::Column { width, .. } => "─".repeat(width + 2),
            Slot::Gap => "─".repeat(3),
        })
        .collect();
    paint.dim(&format!("{left}{}{right}", parts.join(middle)))
}

fn heading<'g>(
    grid: &'g Grid,
    slots: &[Slot],
    paint: Paint,
    text: impl Fn(&'g Heading) -> Cow<'g, str>,
    style: impl Fn(&str) -> String,
) -> String {
    line(slots, paint, |column, width| match grid.columns.get(column) {
        Some(column) => align(&text(column), width, column.number, &style),
        None => " ".repeat(width),
    })
}

fn line(slots: &[Slot], paint: Paint, cell: impl Fn(usize, usize) -> String) -> String {
    let bar = paint.dim("│");
    let mut out = String::new();
    for slot in slots {
        out.push_str(&bar);
        out.push(' ');
        match slot {
            Slot::Column { index, width } => out.push_str(&cell(*index, *width)),
            Slot::Gap => out.push_str(&paint.dim("…")),
        }
        out.push(' ');
    }
    out.push_str(&bar);
    out
}

fn align(text: &str, width: usize, right: bool, style: impl Fn(&str) -> String) -> String {
    let text = cell::shorten(text, width);
    let space = " ".repeat(width.saturating_sub(cell::width(&text)));
    if right { space + &style(&text) } else { style(&text) + &space }
}

fn centre(styled: &str, text_width: usize, width: usize) -> String {
    let space = width.saturating_sub(text_width);
    format!("{}{styled}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}

/// One line for each column of each row: for rows wider than the terminal.
pub(super) fn vertical(grid: &Grid, terminal: Option<usize>, paint: Paint) -> Drawn {
    let names = grid.columns.iter().map(|column| cell::width(&column.title())).max().unwrap_or(0);
    let mut out = String::new();
    for (index, row) in grid.rows.iter().enumerate() {
        let mut number = index + 1;
        if let Some(cut) = grid.cut
            && index >= cut.after
        {
            if index == cut.after {
                out.push_str(&paint.dim("…\n"));
            }
            number += cut.rows;
        }
        let title = format!("── row {} ", grouped(number as u64));
        let rest = terminal.unwrap_or(40).min(60).saturating_sub(cell::width(&title));
        out.push_str(&paint.dim(&format!("{title}{}", "─".repeat(rest))));
        out.push('\n');
        for (column, value) in grid.columns.iter().zip(row) {
            out.push_str(&align(&column.title(), names, false, |text| paint.bold(text)));
            out.push_str("  ");
            let room = terminal.map_or(usize::MAX, |terminal| terminal.saturating_sub(names + 2).max(LEAST_TEXT));
            match value {
                Some(text) => {
                    for (part, line) in text.lines().enumerate() {
                        if part > 0 {
                            out.push('\n');
                            out.push_str(&" ".repeat(names + 2));
                        }
                        out.push_str(&cell::shorten(line, room));
                    }
                }
                None => out.push_str(&paint.dim("NULL")),
            }
            out.push('\n');
        }
    }
    Drawn { text: out, hidden: 0 }
}

/// The line that says what the marks in the heading mean; nothing where there are none.
pub(super) fn legend(grid: &Grid) -> Option<String> {
    let masked = grid.columns.iter().filter_map(|column| Some(format!("{} ({})", column.name, column.masks.as_ref()?)));
    let masked: Vec<String> = masked.collect();
    (!masked.is_empty()).then(|| format!("{MASKED} masked: {}; `\\why` says why", masked.join(", ")))
}

/// The line below a result: rows, what is not shown, time.
pub(super) fn footer(grid: &Grid, hidden: usize, took: Option<Duration>) -> String {
    let mut parts = vec![rows(grid.total)];
    if grid.cut.is_some() {
        parts.push(format!("{} shown", grouped(grid.rows.len() as u64)));
    }
    if hidden > 0 {
        let columns = if hidden == 1 { "column" } else { "columns" };
        parts.push(format!("{hidden} {columns} hidden, `\\x` shows all"));
    }
    let counted = parts.join(", ");
    match took {
        Some(took) => format!("{counted} ({})", seconds(took)),
        None => counted,
    }
}

pub(super) fn rows(total: usize) -> String {
    format!("{} {}", grouped(total as u64), if total == 1 { "row" } else { "rows" })
}

pub(super) fn seconds(took: Duration) -> String {
    format!("{:.3} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::window::Cut;
    use super::*;

    const PLAIN: Paint = Paint { colour: false };

    fn grid(columns: &[(&str, &str)], rows: &[&[Option<&str>]]) -> Grid {
        Grid {
            columns: columns
                .iter()
                .map(|(name, type_name)| Heading {
                    name: (*name).to_owned(),
                    masks: None,
                    type_name: (*type_name).to_owned(),
                    number: *type_name == "bigint",
                    whole: *type_name == "bigint",
                })
                .collect(),
            rows: rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect(),
            total: rows.len(),
            cut: None,
        }
    }

    #[test]
    fn a_small_table() {
        let grid = grid(&[("id", "bigint"), ("city", "text")], &[&[Some("1"), Some("東京")], &[Some("1234567"), None]]);
        let expect = "\
┌─────────┬──────┐
│      id │ city │
│  bigint │ text │
├─────────┼──────┤
│       1 │ 東京 │
│ 1234567 │ NULL │
└─────────┴──────┘
";
        assert_eq!(table(&grid, Some(80), PLAIN).text, expect);
    }

    #[test]
    fn masked_columns_are_marked_and_explained_below() {
        let mut grid = grid(&[("id", "bigint"), ("email", "text")], &[&[Some("1"), Some("3f9a")]]);
        assert_eq!(legend(&grid), None);
        grid.columns[1].masks = Some("hash".to_owned());
        let expect = "\
┌────────┬─────────┐
│     id │ email ▒ │
│ bigint │ text    │
├────────┼─────────┤
│      1 │ 3f9a    │
└────────┴─────────┘
";
        assert_eq!(table(&grid, Some(80), PLAIN).text, expect);
        assert_eq!(legend(&grid).unwrap(), "▒ masked: email (hash); `\\why` says why");
        let text = vertical(&grid, Some(20), PLAIN).text;
        assert!(text.contains("id       1\nemail ▒  3f9a\n"), "{text}");
    }

    #[test]
    fn a_value_of_several_lines_is_drawn_as_such() {
        let plan = grid(
            &[("id", "bigint"), ("plan", "text")],
            &[&[Some("1"), Some("Projection\n  TableScan")], &[None, Some("")]],
        );
        let expect = "\
┌────────┬─────────────┐
│     id │ plan        │
│ bigint │ text        │
├────────┼─────────────┤
│      1 │ Projection  │
│        │   TableScan │
│   NULL │             │
└────────┴─────────────┘
";
        assert_eq!(table(&plan, Some(80), PLAIN).text, expect);
        let text = vertical(&plan, Some(20), PLAIN).text;
        assert!(text.contains("plan  Projection\n        TableScan\n"), "{text}");
    }

    #[test]
    fn a_wide_table_is_shortened_and_its_middle_hidden() {
        let long = "a very long note that cannot fit";
        let wide = grid(
            &[("id", "bigint"), ("note", "text"), ("c", "bigint"), ("d", "bigint"), ("last", "bigint")],
            &[&[Some("1"), Some(long), Some("3"), Some("4"), Some("5")]],
        );
        let expect = "\
┌────────┬───────────┬───┬────────┐
│     id │ note      │ … │   last │
│ bigint │ text      │ … │ bigint │
├────────┼───────────┼───┼────────┤
│      1 │ a very l… │ … │      5 │
└────────┴───────────┴───┴────────┘
";
        let drawn = table(&wide, Some(35), PLAIN);
        assert_eq!(drawn.text, expect);
        assert_eq!(drawn.hidden, 2);
        assert_eq!(footer(&wide, drawn.hidden, None), "1 row, 2 columns hidden, `\\x` shows all");
    }

    #[test]
    fn missing_rows_are_marked_and_counted() {
        let mut cut = grid(&[("n", "bigint")], &[&[Some("1")], &[Some("999999")]]);
        cut.total = 1_000_000;
        cut.cut = Some(Cut { after: 1, rows: 999_998 });
        let expect = "\
┌────────┐
│      n │
│ bigint │
├────────┤
│      1 │
│   …    │
│ 999999 │
└────────┘
";
        assert_eq!(table(&cut, Some(80), PLAIN).text, expect);
        let took = Some(Duration::from_millis(12));
        assert_eq!(footer(&cut, 0, took), "1,000,000 rows, 2 shown (0.012 s)");
        let expect = "\
── row 1 ───────────
n  1
…
── row 1,000,000 ───
n  999999
";
        assert_eq!(vertical(&cut, Some(20), PLAIN).text, expect);
    }

    #[test]
    fn only_the_painter_colours() {
        let grid = grid(&[("a", "text")], &[&[None]]);
        assert!(!table(&grid, None, PLAIN).text.contains('\u{1b}'));
        assert!(table(&grid, None, Paint { colour: true }).text.contains("\u{1b}[2mNULL\u{1b}[0m"));
    }

    #[test]
    fn every_line_ends_inside_the_terminal() {
        let grid = grid(
            &[("a", "text"), ("b", "bigint"), ("c", "text")],
            &[&[Some("東京東京東京東京"), Some("12345678901234567890"), Some("x")]],
        );
        for terminal in 24..60 {
            for line in table(&grid, Some(terminal), PLAIN).text.lines() {
                assert!(cell::width(line) <= terminal, "{terminal}: {line}");
            }
        }
    }
}
