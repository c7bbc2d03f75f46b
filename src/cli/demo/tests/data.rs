//! Counts, shares, references, types, a Delta history, and the same bytes each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use futures::TryStreamExt as _;

use super::super::world::{DAY, Sizes, YEARS};
use super::{SCALE, digests, fresh, shared};

fn read(paths: impl IntoIterator<Item = PathBuf>) -> RecordBatch {
    let mut batches = Vec::new();
    for path in paths {
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        batches.extend(reader.build().unwrap().map(Result::unwrap));
    }
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn orders() -> RecordBatch {
    read((2023..=2026).map(|year| shared().join(format!("data/sales/orders/order_year={year}/part-0.parquet"))))
}

/// The files that the log, replayed by the `deltalake` crate, says are live.
fn open_delta(folder: &Path) -> (deltalake::DeltaTable, RecordBatch) {
    let url = url::Url::from_directory_path(folder).unwrap();
    let table = tokio::runtime::Runtime::new().unwrap().block_on(deltalake::open_table(url)).unwrap();
    let mut names: Vec<String> = table.get_file_uris().unwrap().collect();
    names.sort();
    let files = names.iter().map(|uri| PathBuf::from(uri.trim_start_matches("file://")));
    let rows = read(files);
    (table, rows)
}

fn longs(rows: &RecordBatch, column: &str) -> Vec<i64> {
    rows.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn times(rows: &RecordBatch, column: &str) -> Vec<i64> {
    rows.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>().values().to_vec()
}

fn texts<'a>(rows: &'a RecordBatch, column: &str) -> Vec<&'a str> {
    rows.column_by_name(column).unwrap().as_string::<i32>().iter().map(Option::unwrap_or_default).collect()
}

fn types(rows: &RecordBatch) -> Vec<(String, DataType)> {
    rows.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
}

#[test]
fn the_same_data_comes_out_every_time() {
    let other = fresh(SCALE);
    let (first, second) = (digests(&shared().join("data")), digests(&other.path().join("data")));
    assert!(first.len() > 20, "{first:?}");
    assert_eq!(first, second);
    assert_eq!(digests(&shared().join("keys")), digests(&other.path().join("keys")));
}

#[test]
fn every_table_has_its_rows_and_types() {
    let decimal = DataType::Decimal128(12, 2);
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let named =
        |columns: &[(&str, DataType)]| columns.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect::<Vec<_>>();
    let (long, int, text) = (DataType::Int64, DataType::Int32, DataType::Utf8);

    let orders = orders();
    assert_eq!(orders.num_rows(), 5_000);
    let expected = named(&[
        ("order_id", long.clone()),
        ("customer_id", long.clone()),
        ("region", text.clone()),
        ("ordered_at", timestamp.clone()),
        ("status", text.clone()),
        ("amount", decimal.clone()),
        ("currency", text.clone()),
        ("note", text.clone()),
    ]);
    assert_eq!(types(&orders), expected, "`order_year` stands in the path alone");
    let lines = read((0..4).map(|n| shared().join(format!("data/sales/order_lines/part-{n}.parquet"))));
    assert_eq!(lines.num_rows(), 15_000);
    let expected = named(&[
        ("order_id", long.clone()),
        ("line_no", int.clone()),
        ("product_code", text.clone()),
        ("quantity", int),
        ("unit_price", decimal.clone()),
    ]);
    assert_eq!(types(&lines), expected);
    let employees = read([shared().join("data/hr/employees.parquet")]);
    assert_eq!(employees.num_rows(), 20);
    let expected = named(&[
        ("employee_id", long.clone()),
        ("name", text.clone()),
        ("email", text.clone()),
        ("region", text.clone()),
        ("department", text.clone()),
        ("salary", decimal.clone()),
        ("manager_id", long.clone()),
    ]);
    assert_eq!(types(&employees), expected);
    let (_, customers) = open_delta(&shared().join("data/sales/customers"));
    assert_eq!(customers.num_rows(), 500);
    let expected = named(&[
        ("customer_id", long.clone()),
        ("name", text.clone()),
        ("email", text.clone()),
        ("phone", text.clone()),
        ("country", text.clone()),
        ("region", text.clone()),
        ("segment", text),
        ("signed_up", DataType::Date32),
        ("credit_limit", decimal),
    ]);
    assert_eq!(types(&customers), expected);

    let carriers = std::fs::read_to_string(shared().join("data/logistics/carriers.csv")).unwrap();
    assert_eq!(carriers.lines().count(), 41);
    assert_eq!(carriers.lines().next(), Some("carrier_id,name,mode"));
    let touchpoints = std::fs::read_to_string(shared().join("data/marketing/touchpoints.ndjson")).unwrap();
    assert_eq!(touchpoints.lines().count(), 1_000);
    for line in touchpoints.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!((1..=500).contains(&value["customer_id"].as_i64().unwrap()), "{line}");
        assert!(value["at"].as_str().unwrap().parse::<chrono::NaiveDateTime>().is_ok(), "{line}");
    }
}

#[test]
fn scale_one_is_the_size_that_the_documentation_names() {
    let sizes = Sizes::at(1.0);
    assert_eq!(
        (sizes.customers, sizes.orders, sizes.touchpoints, sizes.employees, Sizes::CARRIERS),
        (50_000, 500_000, 100_000, 2_000, 40)
    );
    let least = Sizes::at(0.0001);
    assert!(least.customers >= 20 && least.orders >= 200 && least.employees >= 20, "{least:?}");
}

#[test]
fn regions_have_their_shares() {
    let (_, customers) = open_delta(&shared().join("data/sales/customers"));
    let mut counts = BTreeMap::new();
    for region in texts(&customers, "region") {
        *counts.entry(region.to_owned()).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("EU".to_owned(), 200), ("US".to_owned(), 175), ("APAC".to_owned(), 125)]));
    let employees = read([shared().join("data/hr/employees.parquet")]);
    let regions: BTreeSet<&str> = texts(&employees, "region").into_iter().collect();
    assert_eq!(regions.len(), 3);
}

#[test]
fn references_hold_and_regions_agree() {
    let (_, customers) = open_delta(&shared().join("data/sales/customers"));
    let region_of: HashMap<i64, &str> =
        longs(&customers, "customer_id").into_iter().zip(texts(&customers, "region")).collect();
    assert_eq!(region_of.len(), 500, "keys are unique");

    let orders = orders();
    let order_ids = longs(&orders, "order_id");
    assert_eq!(order_ids, (1..=5_000).collect::<Vec<_>>(), "ordered by id within and across years");
    assert!(times(&orders, "ordered_at").is_sorted());
    let order_regions = texts(&orders, "region");
    for (customer, region) in longs(&orders, "customer_id").iter().zip(&order_regions) {
        assert_eq!(region_of.get(customer), Some(region));
    }

    let lines = read((0..4).map(|n| shared().join(format!("data/sales/order_lines/part-{n}.parquet"))));
    let quantity = lines.column_by_name("quantity").unwrap().as_primitive::<Int32Type>();
    let price = lines.column_by_name("unit_price").unwrap().as_primitive::<Decimal128Type>();
    let mut sums: HashMap<i64, i128> = HashMap::new();
    for (row, order) in longs(&lines, "order_id").into_iter().enumerate() {
        *sums.entry(order).or_default() += i128::from(quantity.value(row)) * price.value(row);
    }
    let amounts = orders.column_by_name("amount").unwrap().as_primitive::<Decimal128Type>();
    assert_eq!(sums.len(), 5_000, "every order has lines, and no line another order");
    for (row, id) in order_ids.iter().enumerate() {
        assert_eq!(sums[id], amounts.value(row), "order {id}");
    }

    let (_, shipments) = open_delta(&shared().join("data/logistics/shipments"));
    let mut shipped = BTreeSet::new();
    for (order, region) in longs(&shipments, "order_id").into_iter().zip(texts(&shipments, "region")) {
        assert_eq!(order_regions[usize::try_from(order - 1).unwrap()], region);
        assert!(shipped.insert(order), "order {order} is shipped twice");
    }
    assert!(longs(&shipments, "carrier_id").iter().all(|id| (1..=Sizes::CARRIERS).contains(id)));
    assert_eq!(longs(&shipments, "shipment_id").into_iter().collect::<BTreeSet<_>>().len(), 4_000);

    let employees = read([shared().join("data/hr/employees.parquet")]);
    let managers = employees.column_by_name("manager_id").unwrap().as_primitive::<Int64Type>();
    assert_eq!(managers.null_count(), 1);
    assert!(managers.iter().flatten().all(|id| (1..=20).contains(&id)));
}

#[test]
fn nullable_columns_have_both() {
    let (_, customers) = open_delta(&shared().join("data/sales/customers"));
    let (_, shipments) = open_delta(&shared().join("data/logistics/shipments"));
    for (rows, column) in [(&customers, "phone"), (&orders(), "note"), (&shipments, "delivered_at")] {
        let nulls = rows.column_by_name(column).unwrap().null_count();
        assert!(nulls > 0 && nulls < rows.num_rows(), "{column}: {nulls} of {}", rows.num_rows());
    }
}

#[test]
fn orders_lie_in_the_folder_of_their_year_in_row_groups_that_can_be_skipped() {
    for (year, first) in YEARS {
        let path = shared().join(format!("data/sales/orders/order_year={year}/part-0.parquet"));
        let rows = read([path.clone()]);
        let end = (first + 366) * DAY;
        assert!(times(&rows, "ordered_at").iter().all(|at| (first * DAY..end).contains(at)), "{year}");
        let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
        let metadata = builder.metadata();
        assert!(metadata.num_row_groups() >= 2, "{year}: {}", metadata.num_row_groups());
        // Row groups cover ranges of order_id that do not overlap.
        let ranges: Vec<_> = metadata
            .row_groups()
            .iter()
            .map(|group| {
                let statistics = group.column(0).statistics().unwrap();
                let bound = |bytes: Option<&[u8]>| i64::from_le_bytes(bytes.unwrap().try_into().unwrap());
                (bound(statistics.min_bytes_opt()), bound(statistics.max_bytes_opt()))
            })
            .collect();
        assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
    }
}

#[test]
fn shipments_are_a_delta_table_with_a_history() {
    let (table, rows) = open_delta(&shared().join("data/logistics/shipments"));
    assert_eq!(table.version(), Some(7));
    assert_eq!(rows.num_rows(), 4_000, "the replaced file is not read");
    assert_eq!(table.get_file_uris().unwrap().count(), 6);
    let on_disk = std::fs::read_dir(shared().join("data/logistics/shipments")).unwrap();
    let files = on_disk.filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(files, 7, "and is still there");
    let address = rows.column_by_name("address").unwrap().as_struct();
    assert_eq!(address.column_names(), ["street", "city", "postcode"]);

    let history =
        tokio::runtime::Runtime::new().unwrap().block_on(table.history(None).try_collect::<Vec<_>>()).unwrap();
    assert_eq!(history.len(), 8);
}

#[tokio::test]
async fn datafusion_reads_the_delta_tables_with_their_types_and_prunes_by_the_log() {
    use datafusion::prelude::{SessionConfig, SessionContext};

    let session = SessionContext::new_with_config(SessionConfig::new());
    for (name, folder) in [("customers", "sales/customers"), ("shipments", "logistics/shipments")] {
        let url = url::Url::from_directory_path(shared().join("data").join(folder)).unwrap();
        let table = deltalake::open_table(url).await.unwrap();
        session.register_table(name, Arc::new(table.table_provider().build().await.unwrap())).unwrap();
    }
    let count = async |sql: &str| {
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    };
    assert_eq!(
        count("select count(*) from customers where credit_limit >= 500 and signed_up < date '2023-01-01'").await,
        500
    );
    assert_eq!(count("select count(*) from shipments where shipment_id between 101 and 110").await, 10);
    assert_eq!(count("select count(*) from shipments where shipped_at < timestamp '2023-01-01'").await, 0);
    let half = count("select count(*) from shipments where shipped_at < timestamp '2025-01-01'").await;
    assert!((1..4_000).contains(&half), "{half}");
    let schema = session.table("shipments").await.unwrap().schema().as_arrow().clone();
    let shipped_at = schema.field_with_name("shipped_at").unwrap().data_type().clone();
    assert_eq!(shipped_at, DataType::Timestamp(TimeUnit::Microsecond, None));
}

#[test]
fn statistics_never_quote_text() {
    let log =
        std::fs::read_to_string(shared().join("data/sales/customers/_delta_log/00000000000000000001.json")).unwrap();
    assert!(log.contains(r#"\"numRecords\":250"#), "{log}");
    assert!(log.contains(r#"\"minValues\""#) && log.contains("signed_up"), "{log}");
    assert!(!log.contains('@') && !log.contains("EU"), "{log}");
}
