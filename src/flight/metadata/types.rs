//! GetXdbcTypeInfo: the types of SQL, by the numbers that ODBC and JDBC give them. The ODBC driver answers `SQLGetTypeInfo` from it.

use std::sync::LazyLock;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};

use crate::diagnostic::{Diagnostic, Kind, Result};

static ALL: LazyLock<Option<XdbcTypeInfoData>> = LazyLock::new(|| {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for of in all() {
        types.append(of);
    }
    types.build().ok()
});

pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| XdbcTypeInfoDataBuilder::new().schema());

/// All types, or those of one number.
pub(super) fn answer(number: Option<i32>) -> Result<RecordBatch> {
    let broken = || Diagnostic::error(Kind::Internal, "the list of types could not be put together");
    ALL.as_ref().ok_or_else(broken)?.record_batch(number).map_err(|_| broken())
}

/// Names as in column metadata and `information_schema.columns`.
fn all() -> Vec<XdbcTypeInfo> {
    use XdbcDataType as X;
    let plain = |name: &str, data_type: X, size: i32| XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        column_size: Some(size),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        local_type_name: Some(name.to_owned()),
        sql_data_type: data_type,
        ..XdbcTypeInfo::default()
    };
    let number = |name: &str, data_type: X, digits: i32, radix: i32| XdbcTypeInfo {
        unsigned_attribute: Some(name.ends_with("UNSIGNED")),
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        num_prec_radix: Some(radix),
        ..plain(name, data_type, digits)
    };
    let quoted = |before: &str, name: &str, data_type: X, size: i32| XdbcTypeInfo {
        literal_prefix: Some(format!("{before}'")),
        literal_suffix: Some("'".to_owned()),
        ..plain(name, data_type, size)
    };
    let time = |name: &str, data_type: X, size: i32, subcode: XdbcDatetimeSubcode| XdbcTypeInfo {
        sql_data_type: X::XdbcDatetime,
        datetime_subcode: Some(subcode),
        ..quoted(&format!("{} ", name.split(' ').next().unwrap_or(name)), name, data_type, size)
    };
    vec![
        plain("BOOLEAN", X::XdbcBit, 1),
        number("TINYINT", X::XdbcTinyint, 3, 10),
        number("TINYINT UNSIGNED", X::XdbcTinyint, 3, 10),
        number("SMALLINT", X::XdbcSmallint, 5, 10),
        number("SMALLINT UNSIGNED", X::XdbcSmallint, 5, 10),
        number("INTEGER", X::XdbcInteger, 10, 10),
        number("INTEGER UNSIGNED", X::XdbcInteger, 10, 10),
        number("BIGINT", X::XdbcBigint, 19, 10),
        number("BIGINT UNSIGNED", X::XdbcBigint, 20, 10),
        number("REAL", X::XdbcReal, 24, 2),
        number("DOUBLE", X::XdbcDouble, 53, 2),
        XdbcTypeInfo {
            create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
            maximum_scale: Some(38),
            ..number("DECIMAL", X::XdbcDecimal, 38, 10)
        },
        XdbcTypeInfo { case_sensitive: true, ..quoted("", "VARCHAR", X::XdbcVarchar, i32::MAX) },
        quoted("X", "VARBINARY", X::XdbcVarbinary, i32::MAX),
        // A year and a date share the number 1.
        time("DATE", X::XdbcDate, 10, XdbcDatetimeSubcode::XdbcSubcodeYear),
        time("TIME", X::XdbcTime, 15, XdbcDatetimeSubcode::XdbcSubcodeTime),
        time("TIMESTAMP", X::XdbcTimestamp, 26, XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        time("TIMESTAMP WITH TIME ZONE", X::XdbcTimestamp, 32, XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone),
        quoted("INTERVAL ", "INTERVAL", X::XdbcInterval, 32),
    ]
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray as _;
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn types_are_sorted_and_found_by_number() {
        let all = answer(None).unwrap();
        assert_eq!((all.num_columns(), all.schema()), (19, SchemaRef::clone(&SCHEMA)));
        let numbers = all.column(1).as_primitive::<Int32Type>();
        assert!(numbers.values().is_sorted());
        let decimals = answer(Some(3)).unwrap();
        assert_eq!(decimals.column(0).as_string::<i32>().value(0), "DECIMAL");
        assert_eq!(answer(Some(4_711)).unwrap().num_rows(), 0);
    }
}
