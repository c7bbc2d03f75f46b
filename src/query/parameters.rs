//! The parameters of a prepared statement: what its places say of their types, and values in those places.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::failure::diagnose;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::sql_type_name;

/// The types of `$1`, `$2`, … in this order; none where a place takes values of any type, or of several.
pub(in crate::query) fn types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    let mut found: Vec<(usize, Option<DataType>)> = Vec::new();
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(Placeholder { id, field }) = expr
                    && let Some(number) = id.strip_prefix('$').and_then(|digits| digits.parse().ok())
                {
                    found.push((number, field.as_ref().map(|field| field.data_type().clone())));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error| diagnose(&error))?;
    let count = found.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let type_of = |number: usize| {
        let mut types = found.iter().filter(|(at, _)| *at == number).filter_map(|(_, data_type)| data_type.clone());
        let first = types.next()?;
        types.all(|other| other == first).then_some(first)
    };
    Ok((1..=count).map(type_of).collect())
}

/// The plan with `values` in its places, each read as the type of its place; NULL where none are given yet.
///
/// # Errors
/// `Invalid` for too few or too many values, and for one that its place cannot take.
pub(in crate::query) fn bind(
    plan: LogicalPlan,
    types: &[Option<DataType>],
    values: Option<&[ScalarValue]>,
) -> Result<LogicalPlan> {
    count(types.len(), values)?;
    let values = match values {
        Some(values) => (1..).zip(values).zip(types).map(|((at, value), to)| read(at, value, to.as_ref())).collect(),
        None => types.iter().map(|to| null(to.as_ref())).collect::<Result<Vec<_>>>(),
    }?;
    if types.is_empty() {
        return Ok(plan);
    }
    plan.replace_params_with_values(&ParamValues::from(values)).map_err(|error| diagnose(&error))
}

/// # Errors
/// `Invalid` where the statement has another number of `parameters` than values are given, if any are.
pub(in crate::query) fn count(parameters: usize, values: Option<&[ScalarValue]>) -> Result<()> {
    match values {
        Some(values) if values.len() != parameters => {
            let message = format!("the statement has {parameters} parameters, {} values were given", values.len());
            Err(Diagnostic::error(Kind::Invalid, message).hint("bind one value for each `?`"))
        }
        _ => Ok(()),
    }
}

fn read(at: usize, value: &ScalarValue, to: Option<&DataType>) -> Result<ScalarValue> {
    let Some(to) = to else { return Ok(value.clone()) };
    if value.is_null() {
        return null(Some(to));
    }
    // The value itself is not repeated: statements are logged, values are not.
    value.cast_to(to).map_err(|_| {
        let message = format!(
            "parameter {at} is {}, which cannot be read as {}",
            sql_type_name(&value.data_type()),
            sql_type_name(to)
        );
        Diagnostic::error(Kind::Invalid, message).hint("bind a value of that type, or cast the place in the statement")
    })
}

fn null(of: Option<&DataType>) -> Result<ScalarValue> {
    of.map_or(Ok(ScalarValue::Null), |of| ScalarValue::try_from(of).map_err(|error| diagnose(&error)))
}
