//! Orders, their lines and customers of the TPC-H generator as Parquet, with the contracts and policies that guard them.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use meshgate::mesh::Files;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tpchgen::generators::{CustomerGenerator, LineItemGenerator, OrderGenerator};
use tpchgen_arrow::{CustomerArrow, LineItemArrow, OrderArrow};

use crate::counting::Counting;

pub const NAMES: [&str; 3] = ["lineitem", "orders", "customer"];
const ROW_GROUP: usize = 128 << 10;

/// What an analyst sees: no orders at the lowest priority, no lines sent by ship, no customers of one segment; a part of each name,
/// the year of an order's date, prices to the hundred, no comments.
const POLICIES: &str = r#"
@id("orders") permit (principal in Role::"analyst", action == Action::"read", resource is trade::orders)
when { resource.o_orderpriority != "5-LOW" } unless { context.column.name == "o_clerk" };
@id("clerks") @mask("first(8)") permit (principal in Role::"analyst", action == Action::"read", resource is trade::orders)
when { resource.o_orderpriority != "5-LOW" && context.column.name == "o_clerk" };
@id("lines") permit (principal in Role::"analyst", action == Action::"read", resource is trade::lineitem)
when { resource.l_shipmode != "SHIP" };
@id("customers") permit (principal in Role::"analyst", action == Action::"read", resource is trade::customer)
when { resource.c_mktsegment != "MACHINERY" } unless { context.column.name == "c_phone" || context.column.name == "c_acctbal" };
@id("phones") @mask("last(4)") permit (principal in Role::"analyst", action == Action::"read", resource is trade::customer)
when { resource.c_mktsegment != "MACHINERY" && context.column.name == "c_phone" };
@id("balances") @mask("bucket(100)") permit (principal in Role::"analyst", action == Action::"read", resource is trade::customer)
when { resource.c_mktsegment != "MACHINERY" && context.column.name == "c_acctbal" };
@id("comments") @mask("null") forbid (principal, action == Action::"read", resource in Domain::"trade")
when { ["l_comment", "o_comment", "c_comment"].contains(context.column.name) };
"#;

/// The same by hand, as relations to stand where the tables do.
pub fn by_hand(table: &str) -> String {
    let (columns, rows) = match table {
        "orders" => (
            "o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate, o_orderpriority, \
             CASE WHEN char_length(o_clerk) > 8 THEN left(o_clerk, 8) ELSE '***' END AS o_clerk, o_shippriority, \
             CAST(NULL AS VARCHAR) AS o_comment",
            "o_orderpriority <> '5-LOW'",
        ),
        "lineitem" => (
            "l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, \
             l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, CAST(NULL AS VARCHAR) AS l_comment",
            "l_shipmode <> 'SHIP'",
        ),
        _ => (
            "c_custkey, c_name, c_address, c_nationkey, \
             CASE WHEN char_length(c_phone) > 4 THEN right(c_phone, 4) ELSE '***' END AS c_phone, \
             floor(c_acctbal / 100) * 100 AS c_acctbal, c_mktsegment, CAST(NULL AS VARCHAR) AS c_comment",
            "c_mktsegment <> 'MACHINERY'",
        ),
    };
    format!("(SELECT {columns} FROM {table} WHERE {rows})")
}

fn write<E: std::fmt::Debug>(batches: impl Iterator<Item = Result<RecordBatch, E>>) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    let mut rows = 0;
    let mut writer: Option<ArrowWriter<&mut Vec<u8>>> = None;
    let mut target = Some(&mut out);
    for batch in batches {
        let batch = batch.unwrap();
        rows += batch.num_rows();
        let writer = writer.get_or_insert_with(|| {
            let properties = WriterProperties::builder()
                .set_max_row_group_row_count(Some(ROW_GROUP))
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
                .build();
            // As most writers do: without an Arrow schema, which would have text read as views by whoever does not ask for the contract's types.
            let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
            ArrowWriter::try_new_with_options(target.take().unwrap(), batch.schema(), options).unwrap()
        });
        writer.write(&batch).unwrap();
    }
    writer.unwrap().close().unwrap();
    (out, rows)
}

/// Fills the store, and answers how many rows each table has, in the order of [`NAMES`].
pub async fn fill(store: &Arc<Counting>, scale: f64) -> [usize; 3] {
    let written = [
        write(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
        write(OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
        write(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))),
    ];
    let rows = [written[0].1, written[1].1, written[2].1];
    let store: &dyn ObjectStore = store.as_ref();
    for (name, (bytes, _)) in NAMES.iter().zip(written) {
        store.put(&format!("{name}.parquet").into(), bytes.into()).await.unwrap();
    }
    rows
}

pub fn files(rows: [usize; 3]) -> Files {
    let schemas = [LineItemArrow::schema_ref(), OrderArrow::schema_ref(), CustomerArrow::schema_ref()];
    let keys = [["l_orderkey", "l_linenumber"], ["o_orderkey", ""], ["c_custkey", ""]];
    let mut contract = "apiVersion: v3.1.0\nkind: DataContract\nid: trade\nname: trade\nversion: 1.0.0\nstatus: active\ndomain: trade\n\
                        servers: [{server: local, type: local, path: \"{model}.parquet\", format: parquet}]\nschema:\n"
        .to_owned();
    for (((name, schema), rows), keys) in NAMES.iter().zip(schemas).zip(rows).zip(keys) {
        let _ = write!(
            contract,
            "  - name: {name}\n    customProperties: [{{property: meshgateRowCount, value: {rows}}}]\n    properties:\n"
        );
        for field in schema.fields() {
            let kind = match field.data_type() {
                DataType::Int64 => "integer, physicalType: bigint",
                DataType::Int32 => "integer, physicalType: int",
                DataType::Date32 => "date",
                DataType::Decimal128(..) => "number, physicalType: 'DECIMAL(15,2)'",
                _ => "string",
            };
            let key = keys.iter().position(|key| key == field.name());
            let key = key.map_or_else(String::new, |at| format!(", primaryKey: true, primaryKeyPosition: {}", at + 1));
            let _ = writeln!(contract, "      - {{name: {}, logicalType: {kind}, required: true{key}}}", field.name());
        }
    }
    let mut files = Files::default();
    let mut put = |path: &str, text: &str| files.texts.insert(path.to_owned(), text.to_owned());
    put(
        "mesh.yaml",
        "roles: [analyst]\ntags: []\nclassifications: [internal, restricted]\ndefaultClassification: internal\n",
    );
    put("trade/domain.yaml", "name: trade\nowner: {team: t}\nsupport: [{channel: '#c'}]\n");
    put("trade/trade.odcs.yaml", &contract);
    put("trade/policies/trade.cedar", POLICIES);
    files
}
