//! The one type that several values are read as, and how a value is read as it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable as _, Operator, lit};

use crate::source::with_seconds;

/// The zone of columns with one. Where another stands, the statement has written it.
const OF_COLUMNS: &str = "UTC";

pub(super) fn field(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("", data_type, true))
}

/// True for operators that compare two values.
pub fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// True where a time of day, a moment or a span is counted in nanoseconds, at any depth.
pub(super) fn has_nanoseconds(data_type: &DataType) -> bool {
    any(data_type, &|of| {
        matches!(
            of,
            DataType::Timestamp(TimeUnit::Nanosecond, _)
                | DataType::Time64(TimeUnit::Nanosecond)
                | DataType::Duration(TimeUnit::Nanosecond)
        )
    })
}

pub(super) fn has_timestamp(data_type: &DataType) -> bool {
    any(data_type, &|of| matches!(of, DataType::Timestamp(_, _)))
}

fn any(data_type: &DataType, found: &dyn Fn(&DataType) -> bool) -> bool {
    found(data_type)
        || match data_type {
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::LargeListView(item)
            | DataType::FixedSizeList(item, _)
            | DataType::Map(item, _) => any(item.data_type(), found),
            DataType::Struct(fields) => fields.iter().any(|field| any(field.data_type(), found)),
            DataType::Dictionary(_, values) => any(values, found),
            _ => false,
        }
}

/// The same with microseconds in the place of nanoseconds.
pub(super) fn in_microseconds(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        Arc::new(field.as_ref().clone().with_data_type(in_microseconds(field.data_type())))
    };
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Time64(TimeUnit::Nanosecond) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Duration(TimeUnit::Nanosecond) => DataType::Duration(TimeUnit::Microsecond),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::LargeList(item) => DataType::LargeList(inner(item)),
        DataType::ListView(item) => DataType::ListView(inner(item)),
        DataType::LargeListView(item) => DataType::LargeListView(inner(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(inner(item), *size),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Dictionary(keys, values) => DataType::Dictionary(keys.clone(), Box::new(in_microseconds(values))),
        other => other.clone(),
    }
}

/// What values of these types are read as, where the engine would read them as `common`: nanoseconds only where one of them has
/// them, and with a zone where one of them has one (the engine drops it beside a date).
pub(super) fn narrowed(common: &DataType, given: &[DataType]) -> DataType {
    let common = if given.iter().any(has_nanoseconds) { common.clone() } else { in_microseconds(common) };
    let zone = given.iter().find_map(|of| match of {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    });
    match (common, zone) {
        (DataType::Timestamp(unit, None), Some(zone)) => DataType::Timestamp(unit, Some(zone)),
        (common, _) => common,
    }
}

/// Reads expressions over `schema` as other types.
pub(super) struct Reader<'a> {
    pub schema: &'a DFSchema,
    /// The zone of the session, if it has set one.
    pub zone: Option<&'a str>,
}

impl Reader<'_> {
    /// The expression of type `from` as `to`. What has no zone is a time in the zone of the session, unless the statement names
    /// another one on the other side.
    pub(super) fn read_as(&self, expr: Expr, from: &DataType, to: &DataType) -> Result<Expr> {
        if from == to {
            return Ok(expr);
        }
        let expr = spelled_out(expr, to);
        if let (DataType::Timestamp(unit, _), Some(own)) = (to, self.zone)
            && is_here(from, to, own)
        {
            let here = DataType::Timestamp(*unit, Some(own.into()));
            return written(expr).cast_to(&here, self.schema)?.cast_to(to, self.schema);
        }
        if matches!((from, to), (DataType::Timestamp(_, None), DataType::Timestamp(_, Some(_)))) {
            return written(expr).cast_to(to, self.schema);
        }
        expr.cast_to(to, self.schema)
    }
}

/// The text of a time as the engine reads it: `2024-07-01 12:00` has seconds too.
pub(super) fn spelled_out(expr: Expr, to: &DataType) -> Expr {
    match &expr {
        Expr::Literal(value, _) if has_timestamp(to) => match value.try_as_str() {
            Some(Some(text)) => lit(with_seconds(text)),
            _ => expr,
        },
        _ => expr,
    }
}

/// True where a value of type `from` is a time in the `zone` of the session, if it is to be read as `to`.
pub(super) fn is_here(from: &DataType, to: &DataType, zone: &str) -> bool {
    matches!(to, DataType::Timestamp(_, Some(of)) if of.as_ref() == OF_COLUMNS)
        && zone != OF_COLUMNS
        && has_no_zone(from)
}

fn has_no_zone(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, zone) => zone.is_none(),
        DataType::Dictionary(_, values) => has_no_zone(values),
        other => other.is_string() || matches!(other, DataType::Date32 | DataType::Date64),
    }
}

/// The text of a literal that was to be read without a zone: the text itself may name one (`TIMESTAMP '2024-07-01T12:00:00Z'`).
fn written(expr: Expr) -> Expr {
    match expr {
        Expr::Cast(Cast { expr, field })
            if matches!(field.data_type(), DataType::Timestamp(TimeUnit::Microsecond, None))
                && matches!(expr.as_ref(), Expr::Literal(value, _) if value.data_type().is_string()) =>
        {
            *expr
        }
        other => other,
    }
}
