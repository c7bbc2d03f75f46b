//! A private session of the engine's own rules, which hand conditions on lists to the reader: what it may drop there is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::DataType;

use super::fixture::*;
use crate::policy::Condition;

/// One row of each region; only the first row has tags.
async fn orders(pushdown: bool) -> Opened {
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a")]);
    tags.append_null();
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1, 2]))),
        ("region", Arc::new(StringArray::from(vec!["EU", "US"]))),
        ("tags", Arc::new(tags.finish())),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(name, array)| (name, array, true)));
    let mut config = private_config();
    config.options_mut().execution.parquet.pushdown_filters = pushdown;
    parquet(batch.unwrap(), 500, config).await
}

async fn ids(condition: Condition, pushdown: bool, sql: &str) -> Result<Vec<String>, String> {
    let columns = vec![
        column("id", DataType::Int64, true),
        column("region", DataType::Utf8, true),
        column("tags", DataType::new_list(DataType::Utf8, true), false),
    ];
    let shown = exposed(vec![rules("id", vec![rule("clear", &[condition])], vec![])]);
    let context = client(governed(columns, shown, orders(pushdown).await));
    query(&context, sql).await
}

#[tokio::test]
async fn a_lost_condition_is_refused() {
    for sql in ["select id from orders", "select id from orders order by id limit 1", "select count(*) from orders"] {
        let tagged = || Condition::Has(path("tags"));
        assert_eq!(ids(tagged(), false, sql).await, Ok(vec!["1".to_owned()]), "{sql}");
        let refused = ids(tagged(), true, sql).await.unwrap_err();
        assert!(refused.contains("product read failed") && !refused.contains("tags"), "{sql}: {refused}");
        // Whole columns are the reader's to decide.
        assert_eq!(ids(is("region", "EU"), true, sql).await, Ok(vec!["1".to_owned()]), "{sql}");
    }
}
