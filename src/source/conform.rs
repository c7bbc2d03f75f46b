//! What a file or table holds against what the contract promises.
//!
//! A value may change its representation on the way, never its meaning: integers and floats widen, decimals gain digits, text is text
//! in any layout. Two liberties are taken because common writers leave no choice: nanoseconds become microseconds (pandas and Spark
//! write nanoseconds whatever they were given), and a timestamp without a zone is read as UTC.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use datafusion::common::{Column as ColumnRef, ScalarValue};
use datafusion::functions::core::expr_fn::{get_field, named_struct};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource, cast, lit, try_cast, when};

use crate::contract::Column;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::{ColumnName, ColumnPath};

/// The type that the contract promises, under the names that the source uses.
pub(super) fn source_type(column: &Column) -> DataType {
    if column.fields.is_empty() {
        return column.data_type.clone();
    }
    DataType::Struct(column.fields.iter().map(|f| Field::new(&f.physical_name, source_type(f), true)).collect())
}

/// The contract's own type and names, all nullable.
pub(super) fn promised_type(column: &Column) -> DataType {
    if column.fields.is_empty() {
        return column.data_type.clone();
    }
    DataType::Struct(column.fields.iter().map(|f| Field::new(f.name.as_str(), promised_type(f), true)).collect())
}

/// Checks what was found of a column in `place` without reading rows.
///
/// # Errors
/// `Invalid`, naming the place, the column, the type found and the type promised.
pub(super) fn check(place: &str, found: &Schema, column: &Column) -> Result<()> {
    check_column(place, "", found.fields(), column)
}

fn check_column(place: &str, above: &str, found: &Fields, column: &Column) -> Result<()> {
    let path = format!("{above}{}", column.physical_name);
    let Some((_, field)) = found.find(&column.physical_name) else {
        let names: Vec<&str> = found.iter().map(|f| f.name().as_str()).take(20).collect();
        return Err(Diagnostic::error(
            Kind::Invalid,
            format!("`{place}` has no column `{path}`, promised as {}", type_name(&promised_type(column))),
        )
        .hint(format!("it has {}", quoted(&names)))
        .hint("correct `physicalName` or `partitioned` of the column in the contract, or write the file again"));
    };
    match (field.data_type(), column.fields.is_empty()) {
        (DataType::Struct(inner), false) => {
            column.fields.iter().try_for_each(|f| check_column(place, &format!("{path}."), inner, f))
        }
        (found, true) if lossless(found, &column.data_type) => Ok(()),
        (found, _) => Err(Diagnostic::error(
            Kind::Invalid,
            format!(
                "column `{path}` of `{place}` is {}, but the contract promises {}",
                type_name(found),
                type_name(&promised_type(column))
            ),
        )
        .hint("correct the type in the contract, or write the file again")),
    }
}

fn quoted(names: &[&str]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whether every value of `from` has one meaning as `to`.
pub(super) fn lossless(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to || *from == T::Null {
        return true;
    }
    if let T::Dictionary(_, values) = from {
        return lossless(values, to);
    }
    match (from, to) {
        (T::LargeUtf8 | T::Utf8View, T::Utf8) | (T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), T::Binary) => {
            true
        }
        (from, to) if from.is_integer() && to.is_integer() => integer_fits(from, to),
        (from, T::Float64) if from.is_integer() => integer_bits(from) <= 32,
        (from, T::Float32) if from.is_integer() => integer_bits(from) <= 16,
        (from, T::Decimal128(precision, scale)) => match decimal(from) {
            Some((p, s)) => *scale >= s && digits(*precision, *scale) >= digits(p, s),
            None => false,
        },
        (T::Timestamp(_, from), T::Timestamp(TimeUnit::Microsecond, to)) => {
            to.is_some() || from.as_deref().is_none_or(is_utc)
        }
        (T::Float16, T::Float32 | T::Float64)
        | (T::Float32, T::Float64)
        | (T::Time32(_) | T::Time64(_), T::Time64(TimeUnit::Microsecond)) => true,
        (T::List(a) | T::LargeList(a) | T::FixedSizeList(a, _), T::List(b)) => lossless(a.data_type(), b.data_type()),
        (T::Struct(a), T::Struct(b)) => {
            b.iter().all(|field| a.find(field.name()).is_some_and(|(_, f)| lossless(f.data_type(), field.data_type())))
        }
        _ => false,
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "utc" | "Z" | "+00:00" | "Etc/UTC")
}

fn integer_bits(t: &DataType) -> u8 {
    match t {
        DataType::Int8 | DataType::UInt8 => 8,
        DataType::Int16 | DataType::UInt16 => 16,
        DataType::Int32 | DataType::UInt32 => 32,
        _ => 64,
    }
}

fn integer_fits(from: &DataType, to: &DataType) -> bool {
    match (from.is_signed_integer(), to.is_signed_integer()) {
        (true, false) => false,
        (false, true) => integer_bits(from) < integer_bits(to),
        _ => integer_bits(from) <= integer_bits(to),
    }
}

/// Precision and scale that hold every value of the type.
fn decimal(t: &DataType) -> Option<(u8, i8)> {
    match t {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => Some((*p, *s)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}

fn digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

/// How people call a type.
pub(super) fn type_name(t: &DataType) -> String {
    use DataType as T;
    match t {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "text".to_owned(),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "bytes".to_owned(),
        T::Boolean => "true or false".to_owned(),
        t if t.is_signed_integer() => format!("a {}-bit integer", integer_bits(t)),
        t if t.is_unsigned_integer() => format!("an unsigned {}-bit integer", integer_bits(t)),
        T::Float16 => "a 16-bit float".to_owned(),
        T::Float32 => "a 32-bit float".to_owned(),
        T::Float64 => "a 64-bit float".to_owned(),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
            format!("decimal({p},{s})")
        }
        T::Date32 | T::Date64 => "a date".to_owned(),
        T::Time32(_) | T::Time64(_) => "a time of day".to_owned(),
        T::Timestamp(_, None) => "a timestamp without time zone".to_owned(),
        T::Timestamp(_, Some(zone)) => format!("a timestamp in time zone {zone}"),
        T::List(f) | T::LargeList(f) | T::FixedSizeList(f, _) => format!("a list of ({})", type_name(f.data_type())),
        T::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.name(), type_name(f.data_type()))).collect();
            format!("a struct of ({})", fields.join(", "))
        }
        T::Dictionary(_, values) => type_name(values),
        T::Null => "always NULL".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// Columns that the files do not hold as promised, by the first of them that does not.
pub(super) type Unreadable = BTreeMap<ColumnName, Diagnostic>;

/// A plan in the contract's names and types, and what it cannot show.
pub(super) struct Conformed {
    pub plan: LogicalPlan,
    /// The marker of every leaf whose values may be lost.
    pub drift: BTreeMap<ColumnPath, String>,
    pub unreadable: Unreadable,
}

/// No column can be called like this: names have no dots.
pub(super) fn marker(path: &ColumnPath) -> String {
    format!("drift.{path}")
}

/// A product that keeps its promise for no column is taken out.
///
/// # Errors
/// Why the first of `columns` is unreadable, where all are.
pub(super) fn some_readable<'a>(columns: impl IntoIterator<Item = &'a Column>, unreadable: &Unreadable) -> Result<()> {
    let mut faults = Vec::new();
    for column in columns {
        match unreadable.get(&column.name) {
            Some(why) => faults.push(why),
            None => return Ok(()),
        }
    }
    faults.first().map_or(Ok(()), |why| Err((*why).clone()))
}

/// Projects `source` to the contract's columns, in their order, under their names, in their types, followed by markers. `markers` are
/// those of readable columns, with their expressions; an unreadable column is NULL, and what policies read of it is marked.
pub(super) fn project(
    source: Arc<dyn TableSource>,
    columns: &[Column],
    markers: Vec<(ColumnPath, Expr)>,
    unreadable: Unreadable,
) -> datafusion::common::Result<Conformed> {
    let schema = source.schema();
    let mut output = Vec::new();
    let lost = columns.iter().filter(|column| unreadable.contains_key(&column.name)).flat_map(Column::leaves);
    let lost: Vec<(ColumnPath, Expr)> = lost.map(|(path, _)| (path, lit(true))).collect();
    for column in columns {
        if unreadable.contains_key(&column.name) {
            output.push(lit(ScalarValue::try_from(&promised_type(column))?).alias(column.name.as_str()));
            continue;
        }
        let found = schema.field_with_name(&column.physical_name)?.data_type();
        let value = Expr::Column(ColumnRef::from_name(&column.physical_name));
        output.push(conformed(column, value, found)?.alias(column.name.as_str()));
    }
    let mut drift = BTreeMap::new();
    for (path, expr) in markers.into_iter().chain(lost) {
        let name = marker(&path);
        output.push(expr.alias(&name));
        drift.insert(path, name);
    }
    let plan = LogicalPlanBuilder::scan("source", source, None)?.project(output)?.build()?;
    Ok(Conformed { plan, drift, unreadable })
}

/// A column of the files, or a marker among them.
pub(super) fn source_column(name: &str) -> Expr {
    Expr::Column(ColumnRef::from_name(name))
}

/// TRUE where bytes are there that are no text.
pub(super) fn is_no_text(value: Expr) -> Expr {
    value.clone().is_not_null().and(try_cast(value, DataType::Utf8).is_null())
}

/// The bare value where nothing is to be done, so that predicates still reach the files.
fn conformed(column: &Column, value: Expr, found: &DataType) -> datafusion::common::Result<Expr> {
    let promised = promised_type(column);
    if *found == promised {
        return Ok(value);
    }
    // Bytes are read for a text only where one of them was none.
    if (found, &promised) == (&DataType::Binary, &DataType::Utf8) {
        return Ok(try_cast(value, promised));
    }
    let (DataType::Struct(fields), false) = (found, column.fields.is_empty()) else {
        return Ok(cast(value, promised));
    };
    let mut arguments = Vec::new();
    for field in &column.fields {
        let inner = get_field(value.clone(), field.physical_name.as_str());
        let found = fields.find(&field.physical_name).map_or(&DataType::Null, |(_, f)| f.data_type());
        arguments.push(lit(field.name.as_str()));
        arguments.push(conformed(field, inner, found)?);
    }
    let absent = lit(ScalarValue::try_from(&promised)?);
    when(value.is_null(), absent).otherwise(cast(named_struct(arguments), promised))
}
