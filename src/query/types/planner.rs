//! Types as they are written, and operators that the engine has for other types only.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions_nested::expr_fn::array_element;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr, TypePlanner};
use datafusion::logical_expr::{Expr, ExprSchemable as _, GetFieldAccess};
use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType as Written, TimezoneInfo};

use super::common::field;
use crate::query::functions::{interval_divided, interval_times};

/// The zone of `TIMESTAMP WITH TIME ZONE` where the session has set none.
const UTC: &str = "UTC";

/// Makes `TIMESTAMP` and `TIME` microseconds, as columns are. More digits are not kept: `TIMESTAMP(9)` is `TIMESTAMP(6)`.
#[derive(Debug)]
pub struct SqlTypes {
    zone: Arc<str>,
}

impl SqlTypes {
    /// `zone` is that of the session.
    pub fn new(zone: Option<&str>) -> Self {
        Self { zone: zone.unwrap_or(UTC).into() }
    }
}

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, written: &Written) -> Result<Option<FieldRef>> {
        let data_type = match written {
            Written::Timestamp(None | Some(6 | 9), zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, self.zone_of(*zone))
            }
            Written::Timestamp(Some(3), zone) => DataType::Timestamp(TimeUnit::Millisecond, self.zone_of(*zone)),
            Written::Timestamp(Some(0), zone) => DataType::Timestamp(TimeUnit::Second, self.zone_of(*zone)),
            Written::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            _ => return Ok(None),
        };
        Ok(Some(field(data_type)))
    }
}

/// An interval, or the time between two moments, times a number and divided by one.
#[derive(Debug)]
pub struct IntervalOperators;

impl ExprPlanner for IntervalOperators {
    fn plan_binary_op(&self, written: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if !matches!(written.op, BinaryOperator::Multiply | BinaryOperator::Divide) {
            return Ok(PlannerResult::Original(written));
        }
        let (left, right) = (written.left.get_type(schema), written.right.get_type(schema));
        let (Ok(left), Ok(right)) = (left, right) else { return Ok(PlannerResult::Original(written)) };
        let is_span = |of: &DataType| matches!(of, DataType::Interval(_) | DataType::Duration(_));
        let is_number = |of: &DataType| of.is_numeric() || of.is_null();
        let RawBinaryExpr { op, left: one, right: other } = written;
        Ok(match op {
            BinaryOperator::Multiply if is_span(&left) && is_number(&right) => {
                PlannerResult::Planned(interval_times().call(vec![one, other]))
            }
            BinaryOperator::Multiply if is_number(&left) && is_span(&right) => {
                PlannerResult::Planned(interval_times().call(vec![other, one]))
            }
            BinaryOperator::Divide if is_span(&left) && is_number(&right) => {
                PlannerResult::Planned(interval_divided().call(vec![one, other]))
            }
            op => PlannerResult::Original(RawBinaryExpr { op, left: one, right: other }),
        })
    }
}

/// An element of a list that an aggregate gathers. The engine asks for the n-th value instead, and has none that is written as 0.
#[derive(Debug)]
pub struct GatheredElements;

impl ExprPlanner for GatheredElements {
    fn plan_field_access(&self, access: RawFieldAccessExpr, _: &DFSchema) -> Result<PlannerResult<RawFieldAccessExpr>> {
        match (&access.expr, &access.field_access) {
            (Expr::AggregateFunction(_), GetFieldAccess::ListIndex { key }) if !is_place(key) => {
                let element = array_element(access.expr.clone(), key.as_ref().clone());
                Ok(PlannerResult::Planned(element))
            }
            _ => Ok(PlannerResult::Original(access)),
        }
    }
}

/// True for a number that is written out and is not 0.
fn is_place(key: &Expr) -> bool {
    match key {
        Expr::Negative(inner) => is_place(inner),
        Expr::Literal(ScalarValue::Int64(Some(place)), _) => *place != 0,
        _ => false,
    }
}

impl SqlTypes {
    fn zone_of(&self, written: TimezoneInfo) -> Option<Arc<str>> {
        matches!(written, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone).then(|| Arc::clone(&self.zone))
    }
}
