//! D28 by Flight: a session option of the engine is never accepted, and changes nothing.

use std::collections::HashMap;

use meshgate::proto::v1::session_option_value::OptionValue;
use meshgate::proto::v1::{
    GetSessionOptionsResult, SessionOptionValue, SetSessionOptionsRequest, SetSessionOptionsResult,
};
use prost::Message;

use super::seat::Seat;
use super::world::{Condition, Source, world};
use crate::harness::wire::Served;

const OPTIONS: &[&str] = &[
    "datafusion.explain.show_statistics",
    "datafusion.explain.show_sizes",
    "datafusion.explain.analyze_level",
    "datafusion.execution.batch_size",
    "datafusion.execution.target_partitions",
    "datafusion.execution.collect_statistics",
    "datafusion.execution.parquet.pushdown_filters",
    "datafusion.optimizer.max_passes",
    "datafusion.catalog.information_schema",
    "datafusion.catalog.location",
    "datafusion.sql_parser.dialect",
    "datafusion.runtime.memory_limit",
    "DATAFUSION.EXPLAIN.SHOW_STATISTICS",
    "principal",
    "roles",
    "role",
    "meshgate.role",
    "meshgate.principal",
    "region",
    "",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_option_of_the_engine_or_of_identity_is_set() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    let mut ana = Seat::take(&served, "ana").await;
    let plan = "EXPLAIN SELECT order_id FROM sales.orders WHERE amount > 7";
    let (before, rows) =
        (ana.statement(plan).await, ana.statement("SELECT * FROM sales.orders ORDER BY order_id").await);
    for name in OPTIONS {
        for value in
            [OptionValue::StringValue("true".to_owned()), OptionValue::BoolValue(true), OptionValue::Int64Value(1)]
        {
            let options = HashMap::from([((*name).to_owned(), SessionOptionValue { option_value: Some(value) })]);
            let body = SetSessionOptionsRequest { session_options: options }.encode_to_vec();
            let answer = ana.act("SetSessionOptions", body).await.unwrap().remove(0);
            let result = SetSessionOptionsResult::decode(answer).unwrap();
            assert!(result.errors.contains_key(*name), "`{name}` was accepted");
        }
    }
    let kept = ana.act("GetSessionOptions", Vec::new()).await.unwrap().remove(0);
    let kept = GetSessionOptionsResult::decode(kept).unwrap().session_options;
    assert!(kept.keys().all(|name| name == "catalog"), "{kept:?}");
    assert_eq!(ana.statement(plan).await, before);
    assert_eq!(ana.statement("SELECT * FROM sales.orders ORDER BY order_id").await, rows);
}
