//! What a session sets besides its purpose: the schema of bare table names, and the catalog, of which there is one.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{
    GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use prost::Message as _;

use crate::harness::wire::{Recorded, Served};

const MESH: &str = include_str!("fixtures/regions.txt");

/// The names that could not be set.
async fn set(ana: &mut Recorded, options: &[(&str, &str)]) -> Vec<String> {
    let value = |text: &str| SessionOptionValue { option_value: Some(OptionValue::StringValue(text.to_owned())) };
    let session_options: HashMap<_, _> = options.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
    let answer =
        ana.act("SetSessionOptions", SetSessionOptionsRequest { session_options }.encode_to_vec()).await.unwrap();
    SetSessionOptionsResult::decode(answer).unwrap().errors.into_keys().collect()
}

async fn kept(ana: &mut Recorded) -> Vec<(String, String)> {
    let answer = ana.act("GetSessionOptions", Vec::new()).await.unwrap();
    let mut kept: Vec<(String, String)> = GetSessionOptionsResult::decode(answer)
        .unwrap()
        .session_options
        .into_iter()
        .map(|(name, value)| match value.option_value {
            Some(OptionValue::StringValue(text)) => (name, text),
            other => panic!("{other:?}"),
        })
        .collect();
    kept.sort();
    kept
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_names_are_looked_up_in_the_schema_that_is_set() {
    let served = Served::start(MESH).await;
    let mut ana = served.connect("ana").await;
    let (bare, whole) = ("SELECT count(*) AS n FROM orders", "SELECT count(*) AS n FROM sales.orders");
    let unknown = ana.fetch(bare).await.unwrap_err();
    assert!(unknown.contains("there is no table `orders`"), "{unknown}");
    assert_eq!(kept(&mut ana).await, pairs(&[("catalog", "mesh")]));
    // As JDBC with `catalog=` and ADBC with `adbc_current_db_schema` say it.
    assert!(set(&mut ana, &[("catalog", "mesh"), ("schema", "sales")]).await.is_empty());
    assert_eq!(kept(&mut ana).await, pairs(&[("catalog", "mesh"), ("schema", "sales")]));
    for sql in [bare, whole, "SELECT count(*) AS n FROM mesh.sales.orders"] {
        assert_eq!(ana.fetch(sql).await.unwrap(), "n Int64\n2", "{sql}");
    }
    assert!(ana.fetch("DESCRIBE orders").await.unwrap().contains("order_id"));
    assert!(ana.fetch("EXPLAIN ACCESS SELECT * FROM orders").await.unwrap().contains("sales.orders"));
    assert_eq!(ana.fetch("SHOW schema").await.unwrap(), "name Utf8 | value Utf8\nschema | sales");
    // Neither way tells more than the other of what may not be read.
    for table in ["secrets", "nosuch"] {
        let (short, long) = (format!("SELECT * FROM {table}"), format!("SELECT * FROM sales.{table}"));
        assert_eq!(ana.fetch(&short).await.unwrap_err(), ana.fetch(&long).await.unwrap_err());
    }
    // Another login has its own.
    assert!(served.connect("bob").await.fetch(bare).await.is_err());

    let mut prepared = ana.client.prepare(bare.to_owned(), None).await.unwrap();
    ana.fetch("RESET schema").await.unwrap();
    assert!(ana.fetch(bare).await.is_err());
    let info = prepared.execute().await.unwrap();
    let rows = ana.client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(crate::harness::render(&rows.try_collect::<Vec<_>>().await.unwrap()), "n Int64\n2");
    for sql in ["USE sales", "SET schema = 'sales'"] {
        ana.fetch(sql).await.unwrap();
        assert_eq!(ana.fetch(bare).await.unwrap(), "n Int64\n2", "{sql}");
        ana.fetch("SET schema = DEFAULT").await.unwrap();
    }
}

/// A domain of which nothing may be read is answered as one that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_there_is_not_set() {
    let served = Served::start(MESH).await;
    let (mut ana, mut eve) = (served.connect("ana").await, served.connect("eve").await);
    for (who, schema) in [(0, "nosuch"), (1, "sales"), (1, "nosuch")] {
        let who = if who == 0 { &mut ana } else { &mut eve };
        assert_eq!(set(who, &[("schema", schema)]).await, ["schema"]);
        let refused = who.fetch(&format!("SET schema = '{schema}'")).await.unwrap_err();
        assert!(refused.contains("there is no such schema"), "{refused}");
        assert_eq!(kept(who).await, pairs(&[("catalog", "mesh")]));
    }
    assert_eq!(set(&mut ana, &[("catalog", "other")]).await, ["catalog"]);
    let refused = ana.fetch("USE a.b").await.unwrap_err();
    assert!(refused.contains("one domain"), "{refused}");
}
