//! Operators that work like calls: `||`, `LIKE` and matches of regular expressions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, Operator};
use datafusion::physical_expr::create_physical_expr;

use super::cost::{self, CostRule};

/// An operator of two arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum CallOperator {
    Binary(Operator),
    Like { negated: bool, escape: Option<char>, insensitive: bool },
    SimilarTo { negated: bool, escape: Option<char>, insensitive: bool },
}

impl CallOperator {
    /// Takes an expression apart where it is such an operator.
    pub fn split(expr: Expr) -> std::result::Result<(Self, Vec<Expr>), Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if Self::is_costly(op) => {
                Ok((Self::Binary(op), vec![*left, *right]))
            }
            Expr::Like(Like { negated, expr, pattern, escape_char: escape, case_insensitive: insensitive }) => {
                Ok((Self::Like { negated, escape, insensitive }, vec![*expr, *pattern]))
            }
            Expr::SimilarTo(Like { negated, expr, pattern, escape_char: escape, case_insensitive: insensitive }) => {
                Ok((Self::SimilarTo { negated, escape, insensitive }, vec![*expr, *pattern]))
            }
            other => Err(other),
        }
    }

    pub fn is_costly(op: Operator) -> bool {
        use Operator as O;
        matches!(
            op,
            O::StringConcat
                | O::RegexMatch
                | O::RegexIMatch
                | O::RegexNotMatch
                | O::RegexNotIMatch
                | O::LikeMatch
                | O::ILikeMatch
                | O::NotLikeMatch
                | O::NotILikeMatch
        )
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Binary(Operator::StringConcat) => "||",
            Self::Binary(Operator::LikeMatch | Operator::NotLikeMatch) | Self::Like { insensitive: false, .. } => {
                "LIKE"
            }
            Self::Binary(Operator::ILikeMatch | Operator::NotILikeMatch) | Self::Like { .. } => "ILIKE",
            Self::Binary(_) => "~",
            Self::SimilarTo { .. } => "SIMILAR TO",
        }
    }

    pub fn rule(&self) -> &'static CostRule {
        match self.name() {
            "||" => &cost::CONCATENATION,
            "LIKE" | "ILIKE" => &cost::LIKE,
            _ => &cost::MATCH,
        }
    }

    /// The expression that it was.
    pub fn expr(&self, arguments: &[Expr]) -> Expr {
        let argument = |place: usize| {
            Box::new(arguments.get(place).cloned().unwrap_or_else(|| Expr::Literal(ScalarValue::Null, None)))
        };
        let (left, right) = (argument(0), argument(1));
        match *self {
            Self::Binary(op) => Expr::BinaryExpr(BinaryExpr { left, op, right }),
            Self::Like { negated, escape, insensitive } => {
                Expr::Like(Like::new(negated, left, right, escape, insensitive))
            }
            Self::SimilarTo { negated, escape, insensitive } => {
                Expr::SimilarTo(Like::new(negated, left, right, escape, insensitive))
            }
        }
    }

    /// What it makes of arguments of these types.
    pub fn field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let columns = columns(arguments);
        let schema = DFSchema::try_from(Schema::new(columns.clone()))?;
        let references: Vec<Expr> = columns.iter().map(|column| datafusion::prelude::col(column.name())).collect();
        Ok(self.expr(&references).to_field(&schema)?.1)
    }

    /// Computes it.
    pub fn evaluate(&self, arguments: &[ColumnarValue], fields: &[FieldRef], rows: usize) -> Result<ColumnarValue> {
        let (mut columns, mut arrays, mut operands) = (Vec::<FieldRef>::new(), Vec::<ArrayRef>::new(), Vec::new());
        for (field, argument) in self::columns(fields).into_iter().zip(arguments) {
            match argument {
                // The engine prepares a pattern once where it is written out.
                ColumnarValue::Scalar(value) => operands.push(Expr::Literal(value.clone(), None)),
                ColumnarValue::Array(array) => {
                    operands.push(datafusion::prelude::col(field.name()));
                    columns.push(Arc::new(field.as_ref().clone().with_nullable(true)));
                    arrays.push(Arc::clone(array));
                }
            }
        }
        let schema = Arc::new(Schema::new(columns));
        let expr = create_physical_expr(
            &self.expr(&operands),
            &DFSchema::try_from(Arc::clone(&schema))?,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        expr.evaluate(&RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}

fn columns(fields: &[FieldRef]) -> Vec<FieldRef> {
    let names = ["left", "right"].into_iter();
    names.zip(fields).map(|(name, field)| Arc::new(field.as_ref().clone().with_name(name))).collect()
}
