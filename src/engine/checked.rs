//! `+`, `-` and `*` of whole numbers that end with an error where the result has no place in its type.
//!
//! The engine's operators wrap around: <https://github.com/apache/datafusion/issues/17539>. Its physical expressions can check, and
//! nothing but code that makes each of them can say so, so the operators become calls of a function before the plan is optimized.

use std::fmt::Write as _;
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

use super::planning::check_wanted;

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
            let expr = expr.transform_up(|expr| check_wanted().map(|()| checked(expr, &schema)))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
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
    /// Writes a chain of any length into one text: names made of names would be copied again at each of its steps.
    fn write_name(&self, args: &[Expr], name: &mut String) -> Result<()> {
        let [left, right] = args else { return exec_err!("an operator takes two values") };
        write_part(left, name)?;
        write!(name, " {} ", self.op)?;
        write_part(right, name)
    }

    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> std::result::Result<ArrayRef, ArrowError> {
        match self.op {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            _ => mul(left, right),
        }
    }
}

fn write_part(part: &Expr, name: &mut String) -> Result<()> {
    if let Expr::ScalarFunction(call) = part
        && let Some(checked) = call.func.inner().downcast_ref::<Checked>()
    {
        return checked.write_name(&call.args, name);
    }
    Ok(write!(name, "{}", part.schema_name())?)
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            _ => "multiply",
        }
    }

    /// That of the operator: names of columns stay as they are.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let mut name = String::new();
        self.write_name(args, &mut name)?;
        Ok(name)
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
        // The engine asks for the type of each part of a chain, and again for each step above it.
        check_wanted()?;
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
