//! What the demo prints: its products, and how to connect.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::principals::DemoPrincipal;
use crate::cli::output::grouped;
use crate::gateway::ProductRow;

const TITLES: [&str; 6] = ["domain", "dataset", "format", "rows", "state", "why"];

/// The product table; the last column only where something is not served.
pub(super) fn products(rows: &[ProductRow]) -> String {
    let mut lines: Vec<[String; 6]> = vec![TITLES.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.domain.clone(),
            row.dataset.clone(),
            row.format.clone(),
            row.rows.map(grouped).unwrap_or_default(),
            row.state.clone(),
            row.why.clone().unwrap_or_default(),
        ]
    }));
    let shown = if rows.iter().any(|row| row.why.is_some()) { 6 } else { 5 };
    let widths: Vec<usize> = (0..shown)
        .map(|column| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(
                |(column, (cell, width))| {
                    if column == 3 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                },
            )
            .collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            out.push_str(&rule.join("  "));
            out.push('\n');
        }
    }
    out
}

/// Connection strings to copy, and who may log in.
pub(super) fn connections(address: SocketAddr, principals: &[DemoPrincipal]) -> String {
    let mut out = format!(
        "serving Arrow Flight SQL on grpc://{address}\n\n\
         REPL    meshgate sql --url grpc://{address} --user ana --password ana\n\
         Python  adbc_driver_flightsql.dbapi.connect(\"grpc://{address}\", \
         db_kwargs={{\"username\": \"ana\", \"password\": \"ana\"}}, autocommit=True)\n\
         JDBC    jdbc:arrow-flight-sql://{address}/?useEncryption=false&user=ana&password=ana\n\n\
         principals (the password is the name):\n"
    );
    for principal in principals {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {:<5} {:<16} {}", principal.name, principal.role.unwrap_or("no role"), principal.sees);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_why_something_is_not_served() {
        let row = |dataset: &str, rows, why: Option<&str>| ProductRow {
            domain: "sales".to_owned(),
            dataset: dataset.to_owned(),
            format: "delta".to_owned(),
            rows,
            state: if why.is_some() { "out" } else { "verified" }.to_owned(),
            why: why.map(str::to_owned),
        };
        let table = products(&[row("orders", Some(1_500_000), None), row("customers", None, Some("no bucket"))]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "domain  dataset    format       rows  state     why");
        assert_eq!(lines[2], "sales   orders     delta   1,500,000  verified");
        assert_eq!(lines[3], "sales   customers  delta              out       no bucket");
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123_456), "123,456");
    }
}
