//! `\d`, `\dp` and `\whoami` as tables.

use super::cell;
use super::names::Known;
use super::session::Session;
use super::window::{Grid, Heading, Window};
use super::words;
use crate::client::Table;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Which tables, or which columns.
pub(super) fn describe(known: &Known, name: Option<&str>) -> Result<Grid> {
    let Some(name) = name else {
        return Ok(tables(known.tables.iter()));
    };
    let parts: Vec<String> = name.split('.').map(unquote).collect();
    let found: Vec<&Table> = match parts.as_slice() {
        [word] if known.domains.contains(word) => {
            return Ok(tables(known.tables.iter().filter(|table| table.domain == *word)));
        }
        [table] => known.tables.iter().filter(|known| known.name == *table).collect(),
        // A name may start with the mesh.
        [.., domain, table] => {
            known.tables.iter().filter(|known| known.domain == *domain && known.name == *table).collect()
        }
        [] => Vec::new(),
    };
    match found.as_slice() {
        [table] => Ok(columns(table)),
        [] => Err(unknown(known, name, &parts)),
        several => {
            let names: Vec<String> = several.iter().map(|table| format!("`{}`", qualified(table))).collect();
            Err(Diagnostic::error(Kind::Invalid, format!("`{name}` is a table of several domains"))
                .hint(format!("name one: {}", names.join(", "))))
        }
    }
}

fn unknown(known: &Known, name: &str, parts: &[String]) -> Diagnostic {
    let error = Diagnostic::error(Kind::NotFound, format!("no domain or table `{name}`"));
    let all: Vec<String> = known.tables.iter().map(qualified).collect();
    let full = parts.join(".");
    let by_table = known.tables.iter().map(|table| table.name.as_str());
    let near = words::closest(&full, all.iter().map(String::as_str).chain(known.domains.iter().map(String::as_str)))
        .map(str::to_owned)
        .or_else(|| {
            let near = words::closest(parts.last()?, by_table)?;
            known.tables.iter().find(|table| table.name == near).map(qualified)
        });
    match near {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`\\d` lists what you may see"),
    }
}

fn qualified(table: &Table) -> String {
    format!("{}.{}", table.domain, table.name)
}

/// Unquoted words are folded as in SQL.
fn unquote(part: &str) -> String {
    let part = part.trim();
    match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => part.to_lowercase(),
    }
}

fn tables<'t>(tables: impl Iterator<Item = &'t Table>) -> Grid {
    let rows = tables.map(|table| vec![some(&table.domain), some(&table.name), some(&kind(table))]).collect();
    grid(&["domain", "table", "type"], rows)
}

fn columns(table: &Table) -> Grid {
    let rows = table
        .columns
        .iter()
        .map(|column| {
            let type_name = column.type_name.clone().unwrap_or_else(|| cell::type_name(&column.data_type));
            let null = if column.nullable { "yes" } else { "no" };
            vec![some(&column.name), some(&type_name), some(null), Some(remarks(column.remarks.as_deref()))]
        })
        .collect();
    grid(&["column", "type", "null", "remarks"], rows)
}

const PRODUCTS: &str = "SELECT domain, product, version, status, data, owner, support, purpose FROM meshgate.products ORDER BY domain, product";

/// The products with what their contracts say about them; `None` from a server that has no such table.
pub(super) async fn products(session: &mut Session) -> Result<Option<Grid>> {
    let mut rows = match session.execute(PRODUCTS).await {
        Ok(answer) => answer.rows,
        Err(error) if matches!(error.kind, Kind::NotFound | Kind::Invalid | Kind::Unsupported) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut window = Window::new(rows.schema(), MOST_PRODUCTS);
    while let Some(batch) = rows.next().await {
        window.push(&batch?);
    }
    window
        .into_grid()
        .map(Some)
        .map_err(|error| Diagnostic::error(Kind::Internal, format!("the list of products cannot be shown: {error}")))
}

const MOST_PRODUCTS: usize = 10_000;

/// The datasets, for servers that do not tell of products.
pub(super) fn datasets(known: &Known) -> Grid {
    let rows = known
        .tables
        .iter()
        .filter(|table| !matches!(table.domain.as_str(), "information_schema" | "meshgate"))
        .map(|table| {
            let remarks = Some(remarks(table.remarks.as_deref()));
            vec![some(&table.domain), some(&table.name), some(&kind(table)), remarks]
        })
        .collect();
    grid(&["domain", "table", "type", "remarks"], rows)
}

/// What the client knows, and what the server calls this principal if it says.
///
/// # Errors
/// `Stale` where the login had ended, and with it what was set.
pub(super) async fn whoami(session: &mut Session) -> Result<String> {
    let known_as = last_of(session, "SELECT current_user", 1).await?.filter(|name| name != session.user());
    let there = known_as.map(|name| format!(" (there: {name})")).unwrap_or_default();
    let purpose = last_of(session, "SHOW meshgate.purpose", 2).await?;
    let purpose = purpose.map(|purpose| format!(", for the purpose `{purpose}`")).unwrap_or_default();
    Ok(format!("{}{there} at {}{purpose}\n", cell::plain(session.user()), cell::plain(&session.url)))
}

/// The last of so many columns of an answer's first row, if a server answers that; NULL is nothing.
async fn last_of(session: &mut Session, sql: &str, columns: usize) -> Result<Option<String>> {
    let batches = match session.execute(sql).await {
        Ok(answer) => answer.rows.collect().await.unwrap_or_default(),
        Err(ended) if ended.kind == Kind::Stale => return Err(ended),
        Err(_) => return Ok(None),
    };
    let batch = batches.iter().find(|batch| batch.num_rows() > 0 && batch.num_columns() == columns);
    let text = batch
        .and_then(|batch| batch.columns().last())
        .and_then(|column| arrow::util::display::array_value_to_string(column, 0).ok());
    Ok(text.map(|text| cell::plain(&text).into_owned()).filter(|text| !text.is_empty()))
}

fn kind(table: &Table) -> String {
    table.kind.to_lowercase()
}

fn remarks(text: Option<&str>) -> String {
    cell::plain(&text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "a cell of a grid")]
fn some(text: &str) -> Option<String> {
    Some(cell::plain(text).into_owned())
}

fn grid(names: &[&str], rows: Vec<Vec<Option<String>>>) -> Grid {
    let columns = names
        .iter()
        .map(|name| Heading {
            name: (*name).to_owned(),
            masks: None,
            type_name: String::new(),
            number: false,
            whole: false,
        })
        .collect();
    Grid { columns, total: rows.len(), rows, cut: None }
}

#[cfg(test)]
mod tests {
    use super::super::complete::tests::known;
    use super::*;

    fn check(name: Option<&str>, expect: &str) {
        let got = match describe(&known(), name) {
            Ok(grid) => {
                let rows = grid.rows.iter().map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" "));
                rows.collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("{}; {}", error.message, error.hints.join("; ")),
        };
        assert_eq!(got.trim_end(), expect, "{name:?}");
    }

    #[test]
    fn names_are_found_as_in_sql() {
        check(None, "hr employees table\nsales customers table\nsales orders table");
        check(Some("sales"), "sales customers table\nsales orders table");
        check(Some("Sales.Orders"), "order_id bigint no the key\nregion text yes");
        check(Some("mesh.sales.orders"), "order_id bigint no the key\nregion text yes");
        check(Some("orders"), "order_id bigint no the key\nregion text yes");
    }

    #[test]
    fn a_wrong_name_gets_the_nearest_visible_one() {
        check(Some("sales.ordres"), "no domain or table `sales.ordres`; did you mean `sales.orders`?");
        check(Some("ordres"), "no domain or table `ordres`; did you mean `sales.orders`?");
        check(Some("payroll"), "no domain or table `payroll`; `\\d` lists what you may see");
    }
}
