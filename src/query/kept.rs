//! How much memory a plan takes that is kept for later.

use std::mem::size_of;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

/// A step with its schema, without the fields of that.
const STEP: usize = 512;
/// A field of a step's schema: its qualifier and its place in the index.
const FIELD: usize = 64;

/// Bytes of a plan, estimated from its steps, their columns, and the literals in it. Tables are shared and count nothing.
pub(in crate::query) fn plan_bytes(plan: &LogicalPlan) -> usize {
    let mut bytes = 0_usize;
    // INVARIANT: nothing in here fails.
    let _ = plan.apply_with_subqueries(|step| {
        bytes += STEP + step.schema().fields().len() * FIELD;
        step.apply_expressions(|expr| {
            expr.apply(|part| {
                bytes += size_of::<Expr>();
                if let Expr::Literal(value, _) = part {
                    bytes += value.size();
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    bytes
}
