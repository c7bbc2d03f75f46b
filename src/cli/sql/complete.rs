//! Completion: words of SQL, and the names this principal may see, by where the cursor stands.

use std::sync::Arc;

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::cell;
use super::lexer::{Class, Piece, scan};
use super::meta::COMMANDS;
use super::names::{Known, Names};
use super::words::{FUNCTIONS, KEYWORDS};
use crate::client::Table;

/// More than this is no help.
const MOST: usize = 200;

pub(super) struct SqlCompleter {
    pub(super) names: Arc<Names>,
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        CompletionResult::fresh(suggest(&self.names.known(), line, pos))
    }
}

/// What may stand at `pos`, best first.
fn suggest(known: &Known, line: &str, pos: usize) -> Vec<Suggestion> {
    let Some(before) = line.get(..pos) else {
        return Vec::new();
    };
    if before.trim_start().starts_with('\\') {
        return commands(known, before);
    }
    let pieces = scan(line);
    if pieces.iter().any(|piece| is_inside(piece, line, pos)) {
        return Vec::new();
    }
    let place = Place::of(before);
    let start = pieces.iter().filter(|p| p.class == Class::Semicolon && p.range.end <= pos).map(|p| p.range.end).max();
    let end =
        pieces.iter().filter(|p| p.class == Class::Semicolon && p.range.start >= pos).map(|p| p.range.start).min();
    let statement: Vec<&Piece> = pieces
        .iter()
        .filter(|piece| piece.is_significant())
        .filter(|piece| piece.range.start >= start.unwrap_or(0) && piece.range.end <= end.unwrap_or(line.len()))
        .collect();
    let relations = Relations::read(known, line, &statement, place.whole_start);

    let mut out = Offers { place: &place, pos, list: Vec::new() };
    match place.qualifiers.as_slice() {
        [] if relations.expected => out.relations(known),
        [] => {
            out.columns(relations.tables.iter().map(|(_, table)| *table));
            if relations.tables.is_empty() {
                out.columns(known.tables.iter());
            }
            relations.tables.iter().for_each(|(alias, _)| out.offer(alias, "relation"));
            out.words();
        }
        [.., last] => {
            for (_, table) in relations.tables.iter().filter(|(alias, _)| alias == last) {
                out.columns(std::iter::once(*table));
            }
            out.tables(known.tables.iter().filter(|table| table.domain == *last));
            out.columns(known.tables.iter().filter(|table| {
                table.name == *last
                    && place.qualifiers.iter().rev().nth(1).is_some_and(|domain| table.domain == *domain)
            }));
        }
    }
    out.list.truncate(MOST);
    out.list
}

/// Inside a string, a comment, or what has not ended.
fn is_inside(piece: &Piece, line: &str, pos: usize) -> bool {
    let (start, end) = (piece.range.start, piece.range.end);
    match piece.class {
        Class::Unfinished => start < pos,
        Class::Text | Class::QuotedName => start < pos && pos < end,
        Class::Comment => {
            start < pos && (pos < end || !line.get(..end).is_some_and(|text| text.ends_with(['\n', '/'])))
        }
        _ => false,
    }
}

/// The word being typed and the words before its dots.
struct Place {
    prefix: String,
    prefix_start: usize,
    qualifiers: Vec<String>,
    whole_start: usize,
}

impl Place {
    fn of(before: &str) -> Self {
        let word = |text: &str| {
            let kept = text.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
            (kept.len(), text.get(kept.len()..).unwrap_or_default().to_owned())
        };
        let (prefix_start, prefix) = word(before);
        let mut qualifiers = Vec::new();
        let mut whole_start = prefix_start;
        while let Some(rest) = before.get(..whole_start).and_then(|text| text.strip_suffix('.')) {
            let (start, qualifier) = word(rest);
            if qualifier.is_empty() {
                break;
            }
            qualifiers.insert(0, qualifier.to_lowercase());
            whole_start = start;
        }
        Self { prefix, prefix_start, qualifiers, whole_start }
    }
}

/// The tables that a statement names, each with the word that stands for it.
struct Relations<'k> {
    tables: Vec<(String, &'k Table)>,
    /// The cursor stands where a table is expected.
    expected: bool,
}

impl<'k> Relations<'k> {
    fn read(known: &'k Known, line: &str, statement: &[&Piece], cursor: usize) -> Self {
        let mut tables = Vec::new();
        let mut expected = None;
        let mut expecting = false;
        let mut in_from = false;
        let mut rest = statement.iter().copied().peekable();
        loop {
            if expected.is_none() && rest.peek().is_none_or(|piece| piece.range.start >= cursor) {
                expected = Some(expecting);
            }
            let Some(piece) = rest.next() else { break };
            let text = piece.text(line);
            match piece.class {
                Class::Keyword => {
                    let word = text.to_ascii_uppercase();
                    expecting = matches!(word.as_str(), "FROM" | "JOIN" | "TABLE" | "DESCRIBE");
                    in_from = expecting || (in_from && matches!(word.as_str(), "AS" | "LATERAL"));
                }
                Class::Comma => expecting = in_from,
                Class::Name | Class::QuotedName if expecting => {
                    expecting = false;
                    let mut path = vec![unquote(text)];
                    while rest.next_if(|piece| piece.class == Class::Dot).is_some() {
                        match rest.next_if(|piece| matches!(piece.class, Class::Name | Class::QuotedName)) {
                            Some(piece) => path.push(unquote(piece.text(line))),
                            None => break,
                        }
                    }
                    let _ = rest.next_if(|p| p.class == Class::Keyword && p.text(line).eq_ignore_ascii_case("as"));
                    let alias = rest.next_if(|piece| matches!(piece.class, Class::Name | Class::QuotedName));
                    let found = match path.as_slice() {
                        [.., domain, name] => {
                            known.tables.iter().find(|table| table.domain == *domain && table.name == *name)
                        }
                        _ => None,
                    };
                    if let Some(table) = found {
                        let alias = alias.map_or_else(|| table.name.clone(), |piece| unquote(piece.text(line)));
                        tables.push((alias, table));
                    }
                }
                _ => expecting = false,
            }
        }
        Self { tables, expected: expected.unwrap_or(false) }
    }
}

fn unquote(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

/// A name as it has to be written in SQL.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

struct Offers<'p> {
    place: &'p Place,
    pos: usize,
    list: Vec<Suggestion>,
}

impl Offers<'_> {
    fn matches(&self, name: &str) -> bool {
        name.get(..self.place.prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.place.prefix))
    }

    fn push(&mut self, value: String, description: &str) {
        // A name with control characters cannot be typed safely, nor shown.
        if value.chars().any(cell::is_unsafe) || self.list.iter().any(|offered| offered.value == value) {
            return;
        }
        self.list.push(Suggestion {
            value,
            description: Some(cell::plain(description).into_owned()),
            span: Span::new(self.place.prefix_start, self.pos),
            ..Suggestion::default()
        });
    }

    fn offer(&mut self, name: &str, description: &str) {
        if self.matches(name) {
            self.push(quoted(name), description);
        }
    }

    fn columns<'t>(&mut self, tables: impl Iterator<Item = &'t Table>) {
        for table in tables {
            for column in &table.columns {
                let type_name = column.type_name.clone().unwrap_or_else(|| cell::type_name(&column.data_type));
                self.offer(&column.name, &type_name);
            }
        }
    }

    fn tables<'t>(&mut self, tables: impl Iterator<Item = &'t Table>) {
        for table in tables {
            self.offer(&table.name, &table.kind.to_lowercase());
        }
    }

    /// By domain or by table: `ord` finds `sales.orders`.
    fn relations(&mut self, known: &Known) {
        for domain in &known.domains {
            self.offer(domain, "domain");
        }
        for table in &known.tables {
            if self.matches(&table.name) || self.matches(&format!("{}.{}", table.domain, table.name)) {
                self.push(format!("{}.{}", quoted(&table.domain), quoted(&table.name)), &table.kind.to_lowercase());
            }
        }
    }

    fn words(&mut self) {
        if self.place.prefix.is_empty() {
            return;
        }
        let upper = self.place.prefix.starts_with(|c: char| c.is_ascii_uppercase());
        for keyword in KEYWORDS.iter().filter(|keyword| self.matches(keyword)).collect::<Vec<_>>() {
            self.push(if upper { (*keyword).to_owned() } else { keyword.to_lowercase() }, "");
        }
        for function in FUNCTIONS.iter().filter(|function| self.matches(function)).collect::<Vec<_>>() {
            self.push(format!("{function}("), "function");
        }
    }
}

/// Backslash commands, and the names that `\d` takes.
fn commands(known: &Known, before: &str) -> Vec<Suggestion> {
    let start = before.len() - before.trim_start().len();
    let typed = before.get(start..).unwrap_or_default();
    let at = |from: usize, value: String, description: &str| Suggestion {
        value,
        description: Some(cell::plain(description).into_owned()),
        span: Span::new(from, before.len()),
        ..Suggestion::default()
    };
    let Some((command, argument)) = typed.split_once(' ') else {
        return COMMANDS
            .iter()
            .filter(|(name, ..)| name.starts_with(typed))
            .map(|(name, _, what)| at(start, (*name).to_owned(), what))
            .collect();
    };
    if command != "\\d" {
        return Vec::new();
    }
    let from = before.len() - argument.len();
    let names = known.tables.iter().map(|table| (format!("{}.{}", table.domain, table.name), "table"));
    let domains = known.domains.iter().map(|domain| (domain.clone(), "domain"));
    domains
        .chain(names)
        .filter(|(name, _)| name.starts_with(argument) && !name.chars().any(cell::is_unsafe))
        .take(MOST)
        .map(|(name, what)| at(from, name, what))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::client::Column;

    pub(in super::super) fn known() -> Known {
        let column = |name: &str, data_type: DataType, remarks: Option<&str>| Column {
            name: name.to_owned(),
            nullable: remarks.is_none(),
            data_type,
            type_name: None,
            remarks: remarks.map(str::to_owned),
        };
        let table = |domain: &str, name: &str, columns: Vec<Column>| Table {
            domain: domain.to_owned(),
            name: name.to_owned(),
            kind: "TABLE".to_owned(),
            remarks: None,
            columns,
        };
        let orders = vec![column("order_id", DataType::Int64, Some("the key")), column("region", DataType::Utf8, None)];
        Known {
            domains: vec!["hr".to_owned(), "sales".to_owned()],
            tables: vec![
                table("hr", "employees", vec![column("Salary €", DataType::Float64, None)]),
                table("sales", "customers", vec![column("customer_id", DataType::Int64, None)]),
                table("sales", "orders", orders),
            ],
        }
    }

    /// `|` is the cursor.
    fn check(text: &str, expect: &[&str]) {
        let pos = text.find('|').unwrap();
        let got: Vec<String> = suggest(&known(), &text.replace('|', ""), pos).into_iter().map(|s| s.value).collect();
        let got: Vec<&str> = got.iter().map(String::as_str).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn tables_where_tables_stand() {
        check("select * from |", &["hr", "sales", "hr.employees", "sales.customers", "sales.orders"]);
        check("select * from ord|", &["sales.orders"]);
        check("select * from sales.|", &["customers", "orders"]);
        check("select * from mesh.sales.o|", &["orders"]);
        check("select * from sales.orders o join cus|", &["sales.customers"]);
        check("select * from sales.orders, cus|", &["sales.customers"]);
        check("select 1; describe emp|", &["hr.employees"]);
    }

    #[test]
    fn columns_of_the_tables_that_are_named() {
        check(
            "select reg| from sales.orders",
            &["region", "regexp_count(", "regexp_like(", "regexp_match(", "regexp_replace("],
        );
        check("select o.| from sales.orders as o", &["order_id", "region"]);
        check("select orders.r| from sales.orders", &["region"]);
        check("select sales.orders.r|", &["region"]);
        check("select cust| from sales.orders", &[]);
        check("select 1 from sales.customers; select cust| from sales.orders", &[]);
        check("select * from sales.orders where ord|", &["order_id", "orders", "order"]);
        check("select e.| from hr.employees e", &["\"Salary €\""]);
    }

    #[test]
    fn words_follow_the_case_of_what_is_typed() {
        check("SEL|", &["SELECT"]);
        check("sel|", &["select"]);
        check("select coal|", &["coalesce("]);
    }

    #[test]
    fn nothing_inside_strings_and_comments() {
        for text in ["select 'ord|", "select 'ord|'", "select /* ord|", "select -- ord|", "-- from |\nselect"] {
            check(text, &[]);
        }
        check("-- from\nsel|", &["select"]);
    }

    #[test]
    fn backslash_commands() {
        check("\\ti|", &["\\timing"]);
        check("\\d sales.o|", &["sales.orders"]);
        check("\\o x|", &[]);
    }
}
