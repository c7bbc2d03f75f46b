//! Values that are not as their contract promises. Where the contract refuses them, a statement that reads one in clear fails.
//!
//! The check asks the policy's filter again, wherever the engine evaluates it: a hidden row, and a cell that is masked, never fails anything.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::filter::{BASE, Drift, any, base};
use crate::diagnostic::{Diagnostic, Kind};
use crate::name::ColumnPath;

/// A reader's statement met a value that its column cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct BrokenPromise {
    pub table: String,
    pub column: String,
    /// Team and channel of the owner.
    pub contact: String,
}

impl BrokenPromise {
    /// The one that `error` comes from.
    pub fn find(error: &DataFusionError) -> Option<&Self> {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    pub fn diagnostic(&self) -> Diagnostic {
        let Self { table, column, contact } = self;
        let what = format!("a value of `{column}` in `{table}` is not what its contract promises");
        Diagnostic::error(Kind::Broken, what)
            .hint(format!("leave the column out, or ask its owner to correct the data: {contact}"))
    }
}

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value of `{}` in `{}` is broken", self.column, self.table)
    }
}

impl Error for BrokenPromise {}

/// How broken values are refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// What it says besides the column.
    pub promise: BrokenPromise,
    /// The filter of visible rows; none where all are. The engine evaluates projections below filters where it sees fit.
    pub rows: Option<Expr>,
}

/// TRUE where the value at `path`, or a part of it, is broken; none where it cannot be.
pub(super) fn broken(drift: &Drift, path: &ColumnPath) -> Option<Expr> {
    let markers = drift.iter().filter(|(marked, _)| marked.starts_with(path));
    let markers: Vec<Expr> = markers.map(|(_, marker)| base(marker).is_true()).collect();
    (!markers.is_empty()).then(|| any(markers))
}

/// A reader's predicate that may run in the leaf, but reads columns that are checked.
#[derive(Debug)]
pub(super) struct LatePredicate {
    /// The columns that it reads, with their checks.
    pub checked: HashMap<String, Expr>,
    pub predicate: Expr,
}

impl LatePredicate {
    /// `Filter(predicate) ← Projection(checks) ← plan`.
    pub fn apply(self, plan: LogicalPlanBuilder) -> Result<LogicalPlanBuilder> {
        let columns = plan.schema().columns().into_iter().map(|column| match self.checked.get(column.name()) {
            Some(checked) => checked.clone().alias_qualified(Some(BASE), column.name()),
            None => Expr::Column(column),
        });
        let columns: Vec<Expr> = columns.collect();
        plan.project(columns)?.filter(self.predicate)
    }
}

/// `value` where `broken` is TRUE in no row.
pub(super) fn whole(value: Expr, broken: Expr, promise: BrokenPromise) -> Expr {
    // Volatile, so that no rule moves a reader's predicate below it.
    let signature = Signature::any(2, Volatility::Volatile);
    ScalarUDF::new_from_impl(Whole { promise, signature }).call(vec![value, broken])
}

/// `(value, broken)` → the value; an error where `broken` is TRUE.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    promise: BrokenPromise,
    signature: Signature,
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, inputs: &[DataType]) -> Result<DataType> {
        let [value, DataType::Boolean] = inputs else { return internal_err!("a promise is about a value") };
        Ok(value.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let Ok([value, broken]) = <[ColumnarValue; 2]>::try_from(args.args) else {
            return internal_err!("a promise is about a value");
        };
        let broken = broken.into_array(rows)?;
        let Some(marked) = broken.as_boolean_opt() else { return internal_err!("a marker is a boolean") };
        if marked.is_empty() || !marked.has_true() {
            return Ok(value);
        }
        Err(DataFusionError::External(Box::new(self.promise.clone())))
    }
}
