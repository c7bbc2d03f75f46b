//! `+`, `-` and `*` of whole numbers that end with an error where the result has no place in its type.
//!
//! The engine's operators wrap around: <https://github.com/apache/datafusion/issues/17539>. Its physical expressions can check, and
//! nothing but code that makes each of them can say so, so the operators become calls of a function before the plan is optimized.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

/// The plan whose whole numbers do not wrap around. What a scan is handed stays: no arithmetic is planned below the policy.
///
/// # Errors
/// Those of the engine, for a plan that does not hold together.
pub fn check_arithmetic(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !has_arithmetic(&plan)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(node));
        }
        let inputs = node.inputs();
        let schema = if inputs.is_empty() { node.schema().as_ref().clone() } else { merge_schema(&inputs) };
        // An aggregate is called by its filter and its order too, where functions do not say what they stand for.
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr.transform_up(|expr| Ok(checked(expr, &schema)))?.update_data(|expr| name.restore(expr)))
        })
    })
    .data()
}

fn has_arithmetic(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(is_checked(expr)))?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn is_checked(expr: &Expr) -> bool {
    match expr {
        Expr::Negative(_) => true,
        Expr::BinaryExpr(binary) => is_arithmetic(binary.op),
        _ => false,
    }
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_arithmetic(op) => {
            let types = (left.get_type(schema), right.get_type(schema));
            let whole = match &types {
                // The days between two dates are a whole number too, and computed otherwise.
                (Ok(one), Ok(other)) => BinaryTypeCoercer::new(one, &op, other)
                    .get_input_types()
                    .is_ok_and(|(one, other)| one.is_integer() && other.is_integer()),
                _ => false,
            };
            if !whole {
                return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            }
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: function(op), args: vec![*left, *right] }))
        }
        // The least number has no opposite in its type.
        Expr::Negative(inner) => {
            match inner.get_type(schema).map(|kind| (kind.is_integer(), ScalarValue::new_zero(&kind))) {
                Ok((true, Ok(zero))) => {
                    let func = function(Operator::Minus);
                    Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                        func,
                        args: vec![Expr::Literal(zero, None), *inner],
                    }))
                }
                _ => Transformed::no(Expr::Negative(inner)),
            }
        }
        other => Transformed::no(other),
    }
}

fn function(op: Operator) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Checked { op, signature: Signature::user_defined(Volatility::Immutable) }))
}

/// One of the three operators.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl Checked {
    /// The operator that it was: names of columns, and plans that are shown, stay as they are.
    fn operation(&self, args: &[Expr]) -> Expr {
        let argument =
            |place: usize| Box::new(args.get(place).cloned().unwrap_or_else(|| Expr::Literal(ScalarValue::Null, None)));
        Expr::BinaryExpr(BinaryExpr { left: argument(0), op: self.op, right: argument(1) })
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> std::result::Result<ArrayRef, ArrowError> {
        match self.op {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            _ => mul(left, right),
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            _ => "multiply",
        }
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.operation(args).to_string())
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.operation(args).schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else { return exec_err!("an operator takes two values") };
        let (left, right) = BinaryTypeCoercer::new(left, &self.op, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return exec_err!("an operator takes two values") };
        BinaryTypeCoercer::new(left, &self.op, right).get_result_type()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ColumnarValue as V;
        let [left, right] = args.args.as_slice() else { return exec_err!("an operator takes two values") };
        Ok(match (left, right) {
            (V::Array(left), V::Array(right)) => V::Array(self.compute(left, right)?),
            (V::Array(left), V::Scalar(right)) => V::Array(self.compute(left, &right.to_scalar()?)?),
            (V::Scalar(left), V::Array(right)) => V::Array(self.compute(&left.to_scalar()?, right)?),
            (V::Scalar(left), V::Scalar(right)) => {
                let result = self.compute(&left.to_scalar()?, &right.to_scalar()?)?;
                V::Scalar(ScalarValue::try_from_array(&result, 0)?)
            }
        })
    }
}
