//! SqlInfo: what the server can do, in the types drivers cast to without asking.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::SqlSupportsConvert as Convert;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};

use super::prepared;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::query::{Family, escaped_functions};

pub(in crate::flight) static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(SqlInfoDataBuilder::schema().clone()));

/// The types of `{fn CONVERT(…)}`, each with one that the engine holds such values in.
const CONVERTED: [(Convert, DataType); 16] = [
    (Convert::SqlConvertBigint, DataType::Int64),
    (Convert::SqlConvertBit, DataType::Boolean),
    (Convert::SqlConvertChar, DataType::Utf8),
    (Convert::SqlConvertDate, DataType::Date32),
    (Convert::SqlConvertDecimal, DataType::Decimal128(38, 10)),
    (Convert::SqlConvertFloat, DataType::Float64),
    (Convert::SqlConvertInteger, DataType::Int32),
    (Convert::SqlConvertLongvarchar, DataType::Utf8),
    (Convert::SqlConvertNumeric, DataType::Decimal128(38, 10)),
    (Convert::SqlConvertReal, DataType::Float32),
    (Convert::SqlConvertSmallint, DataType::Int16),
    (Convert::SqlConvertTime, DataType::Time64(TimeUnit::Microsecond)),
    (Convert::SqlConvertTimestamp, DataType::Timestamp(TimeUnit::Microsecond, None)),
    (Convert::SqlConvertTinyint, DataType::Int8),
    (Convert::SqlConvertVarbinary, DataType::Binary),
    (Convert::SqlConvertVarchar, DataType::Utf8),
];

/// What can be converted to what.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    let to = |from: &DataType| {
        let castable = CONVERTED.iter().filter(|(_, to)| can_cast_types(from, to));
        castable.map(|(code, _)| *code as i32).collect()
    };
    CONVERTED.iter().map(|(code, from)| (*code as i32, to(from))).collect()
}

static ALL: LazyLock<Option<SqlInfoData>> = LazyLock::new(|| standard().build().ok());

/// Bulk ingestion, and in transactions: the JDBC driver before 16 does not know these numbers and fails on them.
const YOUNG: [u32; 2] = [10, 11];

/// One row for each code that is asked for and known; if none is asked for, all that every driver knows. Vendor codes would
/// crash the JDBC driver, so there are none.
pub(in crate::flight) fn answer(codes: &[u32]) -> Result<RecordBatch> {
    let broken = || Diagnostic::error(Kind::Internal, "the server's description could not be put together");
    let all = ALL.as_ref().ok_or_else(broken)?;
    let every = (0..=576).filter(|code| codes.is_empty() && !YOUNG.contains(code));
    let known: Vec<u32> = codes
        .iter()
        .copied()
        .filter(|code| *code <= 576)
        .chain(every)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    if known.is_empty() && !codes.is_empty() {
        return Ok(RecordBatch::new_empty(SchemaRef::clone(&SCHEMA)));
    }
    all.record_batch(known).map_err(|_| broken())
}

/// Types follow arrow-java's `SqlInfoBuilder` and the ODBC driver's reader, also where `FlightSql.proto` says otherwise:
/// 503, 505, 507 and 562 are 64-bit. Bitmasks are the OR of `1 << value`.
fn standard() -> SqlInfoDataBuilder {
    let mut info = SqlInfoDataBuilder::new();
    // Server
    info.append(0, "meshgate");
    info.append(1, env!("CARGO_PKG_VERSION"));
    info.append(2, arrow::ARROW_VERSION);
    info.append(3, true); // read only
    info.append(4, true); // SQL
    info.append(5, false); // Substrait, and its least and greatest version
    info.append(6, "");
    info.append(7, "");
    info.append(8, 0_i32); // transactions: ADBC then stays in autocommit
    info.append(9, true); // cancelling
    info.append(10, false); // bulk ingestion, and in transactions
    info.append(11, false);
    info.append(100, i32::try_from(prepared::IDLE.as_millis()).unwrap_or(i32::MAX)); // life of a prepared handle, ms
    info.append(101, 0_i32);
    // DDL for catalogs, SQL schemas, tables
    for code in 500..=502 {
        info.append(code, false);
    }
    // Names
    info.append(503, 3_i64); // unquoted ones are lower-cased
    info.append(504, "\"");
    info.append(505, 0_i64); // quoted ones: the ODBC driver reads 0 as case-sensitive
    info.append(506, true); // all tables that are listed are selectable
    info.append(507, 0_i64); // nulls sort high
    // Words and functions beyond the standard
    info.append(508, &["ANTI", "ILIKE", "QUALIFY", "SEMI", "UNNEST"][..]);
    info.append(509, functions(Family::Numeric, NUMERIC).as_slice());
    info.append(510, functions(Family::Text, STRING).as_slice());
    info.append(511, functions(Family::System, &["coalesce", "nullif", "nvl"]).as_slice());
    info.append(512, functions(Family::Time, DATETIME).as_slice());
    info.append(513, "\\"); // escapes _ and % in the patterns of metadata commands
    info.append(514, "");
    info.append(515, true); // column aliases
    info.append(516, true); // NULL + NULL is NULL
    info.append(517, conversions()); // {fn CONVERT(…)}
    info.append(518, true); // table aliases, and that they must differ from table names
    info.append(519, false);
    info.append(520, true); // ORDER BY expressions, and columns that are not selected
    info.append(521, true);
    info.append(522, 0b11_i32); // GROUP BY unrelated, beyond select
    info.append(523, true); // LIKE … ESCAPE
    info.append(524, false); // a column may always be NULL
    info.append(525, 0b111_i32); // grammar: minimum, core, extended
    info.append(526, 0b001_i32); // SQL-92 entry level
    info.append(527, false);
    info.append(528, 0b110_i32); // outer joins: limited, full
    info.append(529, "schema");
    info.append(530, "procedure");
    info.append(531, "catalog");
    info.append(532, true); // catalog.schema.table
    info.append(533, 0_i32); // actions on SQL schemas and catalogs, positioned commands
    info.append(534, 0_i32);
    info.append(535, 0_i32);
    info.append(536, false); // SELECT … FOR UPDATE
    info.append(537, false); // stored procedures
    info.append(538, 0b0111_i32); // subqueries: comparison, EXISTS, IN
    info.append(539, true); // correlated ones
    info.append(540, 0b11_i32); // UNION, UNION ALL
    // Limits: 0 is none, or not known
    for code in (541..=555).chain(557..=561) {
        info.append(code, 0_i64);
    }
    info.append(556, false);
    // Transactions
    info.append(562, 0_i64);
    info.append(563, false);
    info.append(564, 0b1_i32); // isolation: none
    info.append(565, false);
    info.append(566, false);
    // Result sets: forward only, read only
    info.append(567, 0b10_i32);
    info.append(568, 0b10_i32);
    info.append(569, 0b10_i32);
    info.append(570, 0_i32);
    info.append(571, 0_i32);
    // Batch updates, savepoints, named parameters, locators, call syntax
    for code in 572..=576 {
        info.append(code, false);
    }
    info
}

/// What `{fn …}` takes, by the names of JDBC in capitals, and what is called by the engine's own names.
fn functions(family: Family, own: &[&'static str]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = escaped_functions(family).chain(own.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

const NUMERIC: &[&str] = &[
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "degrees", "exp", "floor", "ln", "log", "log10", "log2",
    "pi", "power", "radians", "round", "signum", "sin", "sqrt", "tan", "trunc",
];

const STRING: &[&str] = &[
    "ascii",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "initcap",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "trim",
    "upper",
];

const DATETIME: &[&str] = &[
    "current_date",
    "date_add",
    "date_bin",
    "date_diff",
    "date_part",
    "date_sub",
    "date_trunc",
    "dateadd",
    "datediff",
    "extract",
    "now",
    "timestampadd",
    "timestampdiff",
    "to_timestamp",
];

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt32Type;

    use super::*;

    fn children(batch: &RecordBatch) -> BTreeMap<u32, i8> {
        let codes = batch.column(0).as_primitive::<UInt32Type>();
        let values = batch.column(1).as_union();
        (0..batch.num_rows()).map(|row| (codes.value(row), values.type_id(row))).collect()
    }

    /// Rule: drivers cast the child of each code without looking. 0 text, 1 bool, 2 bigint, 3 int32, 4 list, 5 map.
    #[test]
    fn every_standard_code_has_the_child_that_drivers_cast_to() {
        let ranges: [(i8, &[std::ops::RangeInclusive<u32>]); 6] = [
            (0, &[0..=2, 6..=7, 504..=504, 513..=514, 529..=531]),
            (
                1,
                &[
                    3..=5,
                    9..=11,
                    500..=502,
                    506..=506,
                    515..=516,
                    518..=521,
                    523..=524,
                    527..=527,
                    532..=532,
                    536..=537,
                    539..=539,
                    556..=556,
                    563..=563,
                    565..=566,
                    572..=576,
                ],
            ),
            (2, &[503..=503, 505..=505, 507..=507, 541..=555, 557..=562]),
            (
                3,
                &[
                    8..=8,
                    100..=101,
                    522..=522,
                    525..=526,
                    528..=528,
                    533..=535,
                    538..=538,
                    540..=540,
                    564..=564,
                    567..=571,
                ],
            ),
            (4, &[508..=512]),
            (5, &[517..=517]),
        ];
        let mut expect = BTreeMap::new();
        for (child, ranges) in ranges {
            expect.extend(ranges.iter().cloned().flatten().map(|code| (code, child)));
        }
        assert_eq!(expect.len(), 12 + 2 + 77, "0 to 11, 100 and 101, 500 to 576");
        let all: Vec<u32> = (0..=576).collect();
        assert_eq!(children(&answer(&all).unwrap()), expect);
        expect.retain(|code, _| !YOUNG.contains(code));
        assert_eq!(children(&answer(&[]).unwrap()), expect);
    }

    #[test]
    fn an_unknown_code_has_no_row() {
        assert_eq!(children(&answer(&[8, 10_000, 8, 99]).unwrap()).into_keys().collect::<Vec<_>>(), [8]);
        assert_eq!(answer(&[10_000]).unwrap().num_rows(), 0);
        assert_eq!(answer(&[99]).unwrap().num_rows(), 0);
        assert_eq!(answer(&[99]).unwrap().schema(), *SCHEMA);
    }

    #[test]
    fn what_clients_decide_by() {
        let text = |code: u32| {
            let batch = answer(&[code]).unwrap();
            batch.column(1).as_union().value(0).as_string::<i32>().value(0).to_owned()
        };
        assert_eq!(text(0), "meshgate");
        assert_eq!(text(504), "\"");
        assert_eq!(text(513), "\\");
        assert_eq!((text(529), text(530), text(531)), ("schema".into(), "procedure".into(), "catalog".into()));
    }
}
