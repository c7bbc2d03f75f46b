//! The commands about the mesh, as data.

use arrow_flight::sql::{
    Any, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, ProstMessageExt,
};

use super::doors::COMMAND_DOORS;
use super::seat::Seat;
use super::world::{Condition, Source, world};
use crate::harness::wire::Served;

pub(super) struct Command {
    pub name: String,
    pub message: Any,
    /// The command holds a name that the reader may not know, which an answer echoes.
    pub types_names: bool,
}

fn command(name: impl Into<String>, message: Any) -> Command {
    Command { name: name.into(), message, types_names: false }
}

/// Tables that `ana` may read, may know of, may not know of, and that nobody has.
const TABLES: [(&str, &str); 5] =
    [("sales", "orders"), ("sales", "baskets"), ("finance", "budgets"), ("hr", "salaries"), ("hr", "nosuch00")];

pub(super) fn all() -> Vec<Command> {
    let mut out = vec![
        command("GetCatalogs", CommandGetCatalogs {}.as_any()),
        command("GetTableTypes", CommandGetTableTypes {}.as_any()),
        command("GetSqlInfo", CommandGetSqlInfo::default().as_any()),
        command("GetSqlInfo some", CommandGetSqlInfo { info: vec![0, 1, 2, 500, 501, 508, 575] }.as_any()),
        command("GetXdbcTypeInfo", CommandGetXdbcTypeInfo::default().as_any()),
    ];
    for pattern in [None, Some("%"), Some("h_"), Some("sal%"), Some("HR"), Some("")] {
        let pattern = pattern.map(str::to_owned);
        let name = format!("GetDbSchemas {pattern:?}");
        let message = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: pattern.clone() };
        out.push(command(name, message.as_any()));
        for table in [None, Some("%"), Some("%ar%"), Some("orders"), Some("nosuch%")] {
            let table = table.map(str::to_owned);
            for include_schema in [false, true] {
                let name = format!("GetTables {pattern:?} {table:?} {include_schema}");
                let message = CommandGetTables {
                    catalog: None,
                    db_schema_filter_pattern: pattern.clone(),
                    table_name_filter_pattern: table.clone(),
                    table_types: Vec::new(),
                    include_schema,
                };
                out.push(command(name, message.as_any()));
            }
        }
    }
    for catalog in ["mesh", "other", ""] {
        let catalog = Some(catalog.to_owned());
        let message =
            CommandGetTables { catalog: catalog.clone(), include_schema: true, ..CommandGetTables::default() };
        out.push(command(format!("GetTables of {catalog:?}"), message.as_any()));
    }
    for kind in ["TABLE", "VIEW", "SYSTEM TABLE"] {
        let message = CommandGetTables { table_types: vec![kind.to_owned()], ..CommandGetTables::default() };
        out.push(command(format!("GetTables {kind}"), message.as_any()));
    }
    for (domain, table) in TABLES {
        let types_names = domain != "sales";
        let (db_schema, table) = (Some(domain.to_owned()), table.to_owned());
        let messages = [
            (
                "GetPrimaryKeys",
                CommandGetPrimaryKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() }.as_any(),
            ),
            (
                "GetPrimaryKeys of any domain",
                CommandGetPrimaryKeys { catalog: None, db_schema: None, table: table.clone() }.as_any(),
            ),
            (
                "GetExportedKeys",
                CommandGetExportedKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() }.as_any(),
            ),
            (
                "GetImportedKeys",
                CommandGetImportedKeys { catalog: None, db_schema: db_schema.clone(), table: table.clone() }.as_any(),
            ),
            (
                "GetCrossReference",
                CommandGetCrossReference {
                    pk_catalog: None,
                    pk_db_schema: Some("sales".to_owned()),
                    pk_table: "orders".to_owned(),
                    fk_catalog: None,
                    fk_db_schema: db_schema,
                    fk_table: table.clone(),
                }
                .as_any(),
            ),
        ];
        for (name, message) in messages {
            out.push(Command { name: format!("{name} {domain}.{table}"), message, types_names });
        }
    }
    out
}

/// Unknown and forbidden are one answer, and the owner's is another.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_forbidden_table_are_those_of_none() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    let message = |domain: &str, table: &str| {
        CommandGetPrimaryKeys { catalog: None, db_schema: Some(domain.to_owned()), table: table.to_owned() }.as_any()
    };
    for door in COMMAND_DOORS {
        let mut answers = Vec::new();
        for (who, domain, table) in [
            ("ana", "hr", "salaries"),
            ("ana", "hr", "nosuch00"),
            ("ana", "finance", "budgets"),
            ("eve", "sales", "orders"),
            ("ana", "sales", "orders"),
            ("dpo", "hr", "salaries"),
        ] {
            let mut seat = Seat::take(&served, who).await;
            let answer = (door.ask)(&mut seat, &message(domain, table)).await;
            // The command is its own ticket, of which the length is told.
            let answer: Vec<&str> = answer.lines().filter(|line| !line.contains("Some(")).collect();
            answers.push(answer.join("\n"));
        }
        assert!(answers[..4].iter().all(|answer| *answer == answers[0]), "{}: {answers:#?}", door.name);
        if door.name != "GetSchema" {
            assert!(answers[4].contains("order_id"), "{}: {}", door.name, answers[4]);
            assert!(answers[5].contains("employee_id"), "{}: {}", door.name, answers[5]);
        }
    }
}

/// A key of which one column is hidden is told as none: a part of it would name what is not unique, and count what is hidden.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_hidden_column_is_no_key() {
    const PLAIN: &str = "name: card_no, logicalType: string,";
    let text = world(false, Condition::Equality, Source::Parquet);
    assert!(text.contains(PLAIN), "the column is there");
    let keyed = format!("{PLAIN} required: true, primaryKey: true, primaryKeyPosition: 2,");
    let served = Served::start(&text.replace(PLAIN, &keyed)).await;
    let (mut ana, mut dpo) = (Seat::take(&served, "ana").await, Seat::take(&served, "dpo").await);
    let keys = |table: &str| {
        let db_schema = Some("sales".to_owned());
        CommandGetPrimaryKeys { catalog: None, db_schema, table: table.to_owned() }.as_any()
    };
    for door in COMMAND_DOORS.iter().filter(|door| door.name != "GetSchema") {
        let told = (door.ask)(&mut ana, &keys("orders")).await;
        assert_eq!(told, (door.ask)(&mut ana, &keys("nosuch")).await, "{}", door.name);
        let owner = (door.ask)(&mut dpo, &keys("orders")).await;
        assert!(owner.contains("order_id") && owner.contains("card_no"), "{}: {owner}", door.name);
    }
}

/// Each command that lists the mesh shows the owner more.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_told_more_by_every_command_that_lists() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    let (mut ana, mut dpo) = (Seat::take(&served, "ana").await, Seat::take(&served, "dpo").await);
    for command in all() {
        let lists =
            ["GetDbSchemas None", "GetDbSchemas Some(\"%\")", "GetTables None None", "GetTables Some(\"h_\") None"];
        if lists.iter().any(|name| command.name.starts_with(name)) {
            let door = &COMMAND_DOORS[0];
            let (less, more) =
                ((door.ask)(&mut ana, &command.message).await, (door.ask)(&mut dpo, &command.message).await);
            assert!(more.contains("hr") && !less.contains("| hr") && more != less, "{}: {less}\n{more}", command.name);
        }
    }
    let (less, more) = (ana.browse(None, None).await, dpo.browse(None, None).await);
    assert!(more.contains("salaries") && !less.contains("salaries"), "{less}\n{more}");
}

/// A key is told where both its ends are visible: its other end would name what is hidden.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_to_what_is_hidden_is_no_key() {
    const PLAIN: &str = "name: order_id, logicalType: integer, required: true,";
    let text = world(false, Condition::Equality, Source::Parquet);
    assert!(text.contains(PLAIN), "the column is there");
    let keyed = format!("{PLAIN} relationships: [{{to: hr.salaries.employee_id}}, {{to: orders.card_no}}],");
    let served = Served::start(&text.replace(PLAIN, &keyed)).await;
    let (mut ana, mut dpo) = (Seat::take(&served, "ana").await, Seat::take(&served, "dpo").await);
    let keys = |table: &str| {
        let db_schema = Some("sales".to_owned());
        CommandGetImportedKeys { catalog: None, db_schema, table: table.to_owned() }.as_any()
    };
    let to = |db_schema: &str, table: &str| {
        let db_schema = Some(db_schema.to_owned());
        CommandGetExportedKeys { catalog: None, db_schema, table: table.to_owned() }.as_any()
    };
    for door in COMMAND_DOORS.iter().filter(|door| door.name != "GetSchema") {
        assert_eq!((door.ask)(&mut ana, &keys("orders")).await, (door.ask)(&mut ana, &keys("nosuch")).await);
        assert_eq!(
            (door.ask)(&mut ana, &to("hr", "salaries")).await,
            (door.ask)(&mut ana, &to("hr", "nosuches")).await
        );
        for asked in [keys("orders"), to("hr", "salaries")] {
            let owner = (door.ask)(&mut dpo, &asked).await;
            assert!(owner.contains("employee_id") && owner.contains("orders_order_id_fkey"), "{}: {owner}", door.name);
        }
        assert!((door.ask)(&mut dpo, &keys("orders")).await.contains("card_no"));
    }
    let told_of_keys = ["table_constraints", "key_column_usage", "referential_constraints", "constraint_column_usage"];
    for table in told_of_keys {
        let sql = format!("SELECT * FROM information_schema.{table} WHERE constraint_name LIKE '%fkey'");
        let (told, owner) = (ana.statement(&sql).await, dpo.statement(&sql).await);
        assert!(!told.contains("fkey") && owner.contains("orders_order_id_fkey"), "{table}: {told}\n{owner}");
    }
}
