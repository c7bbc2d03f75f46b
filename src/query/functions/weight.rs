//! How deep and how large the expressions of a plan become when the engine puts one into another.
//!
//! A text says `x + x` once in each of forty `WITH` queries; the engine, which pushes a filter below all of them or makes one projection of
//! many, would write it out 2^40 times, or nest it as deep as all of them together. So every column is followed down to where its values
//! come from, before anything is optimized.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlan, Operator};

use crate::diagnostic::{Diagnostic, Kind, Result};

/// Parts that the expressions of one plan may have in all, written out.
const LARGEST: u64 = 500_000;
/// Computations that may stand on each other: the engine's time to plan them grows with the third power.
const COMPUTATIONS: u64 = 250;
/// Steps of a plan above each other: streams are nested as deep.
const STEPS: usize = 1_000;

/// Refuses what would be too large or too deep written out.
///
/// # Errors
/// `Exhausted`.
pub fn check_weight(plan: &LogicalPlan, depth: usize) -> Result<()> {
    let depth = u64::try_from(depth).unwrap_or(u64::MAX);
    Walk { depth, total: 0, outer: Weight::LEAF, level: 0 }.plan(plan).map(|_| ())
}

/// Of one expression, with what its columns stand for in their place.
#[derive(Debug, Clone, Copy)]
struct Weight {
    depth: u64,
    /// The depth in computations.
    computations: u64,
    size: u64,
}

impl Weight {
    const NONE: Self = Self { depth: 0, computations: 0, size: 0 };
    const LEAF: Self = Self { depth: 1, computations: 0, size: 1 };

    /// Beside each other: in one expression, or as branches that a filter goes into.
    fn beside(self, other: Self) -> Self {
        Self { size: self.size.saturating_add(other.size), ..self.heavier(other) }
    }

    fn heavier(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            computations: self.computations.max(other.computations),
            size: self.size.max(other.size),
        }
    }
}

struct Walk {
    depth: u64,
    total: u64,
    /// The heaviest column around a subquery: what the subquery may be handed.
    outer: Weight,
    level: usize,
}

impl Walk {
    /// The weights of the plan's columns.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Weight>> {
        self.level += 1;
        if self.level > STEPS {
            return Err(too("nests more than", STEPS as u64, "steps"));
        }
        let mut below = Vec::new();
        for input in plan.inputs() {
            below.push((input.schema().as_ref(), self.plan(input)?));
        }
        let columns = plan.schema().fields().len();
        let weights = match plan {
            LogicalPlan::Projection(node) => self.exprs(&node.expr, &below)?,
            // What is aggregated is a new value; what it is grouped by may be moved below.
            LogicalPlan::Aggregate(node) => {
                self.exprs(&node.aggr_expr, &below)?;
                let mut weights = self.exprs(&node.group_expr, &below)?;
                if weights.len() > columns {
                    weights = vec![heaviest(&weights); columns];
                }
                weights
            }
            LogicalPlan::Values(node) => {
                for row in &node.values {
                    self.exprs(row, &below)?;
                }
                Vec::new()
            }
            LogicalPlan::Union(_) => {
                let mut weights = vec![Weight::NONE; columns];
                for (_, branch) in &below {
                    weights = weights.iter().zip(branch).map(|(all, branch)| all.beside(*branch)).collect();
                }
                weights
            }
            LogicalPlan::RecursiveQuery(_) => Vec::new(),
            other => {
                self.exprs(&other.expressions(), &below)?;
                let passed: Vec<Weight> = below.iter().flat_map(|(_, weights)| weights.iter().copied()).collect();
                match other {
                    LogicalPlan::Unnest(_) => vec![heaviest(&passed); columns],
                    // Some joins pass on one side only, and a window adds columns.
                    _ if passed.len() > columns => vec![heaviest(&passed); columns],
                    _ => passed,
                }
            }
        };
        self.level -= 1;
        let made = std::iter::repeat(Weight::LEAF);
        Ok(weights.into_iter().chain(made).take(columns).collect())
    }

    fn exprs(&mut self, exprs: &[Expr], below: &[(&DFSchema, Vec<Weight>)]) -> Result<Vec<Weight>> {
        exprs.iter().map(|expr| self.whole(expr, below)).collect()
    }

    /// One expression of a step.
    fn whole(&mut self, expr: &Expr, below: &[(&DFSchema, Vec<Weight>)]) -> Result<Weight> {
        let weight = self.expr(expr, below)?;
        if weight.depth > self.depth {
            return Err(too("nests more than", self.depth, "operators, counted through the queries it is made of"));
        }
        if weight.computations > COMPUTATIONS {
            return Err(too(
                "has more than",
                COMPUTATIONS,
                "computations on the result of each other, counted through the queries it is made of",
            ));
        }
        // A column that is passed on, or a value, is nothing to write out.
        if !matches!(expr, Expr::Column(_) | Expr::Literal(..)) {
            self.total = self.total.saturating_add(weight.size);
        }
        if self.total > LARGEST {
            return Err(too("becomes more than", LARGEST, "parts when the queries that it is made of are written out"));
        }
        Ok(weight)
    }

    fn expr(&mut self, expr: &Expr, below: &[(&DFSchema, Vec<Weight>)]) -> Result<Weight> {
        let inner = match expr {
            Expr::Column(column) => return Ok(weight_of(column, below)),
            Expr::OuterReferenceColumn(..) => return Ok(self.outer),
            Expr::Alias(alias) => return self.expr(&alias.expr, below),
            Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
            Expr::Exists(exists) => Some(&exists.subquery.subquery),
            Expr::InSubquery(list) => Some(&list.subquery.subquery),
            Expr::SetComparison(comparison) => Some(&comparison.subquery.subquery),
            _ => None,
        };
        if let Some(plan) = inner {
            let around = below.iter().flat_map(|(_, weights)| weights).copied().fold(self.outer, Weight::heavier);
            let before = std::mem::replace(&mut self.outer, around);
            self.plan(plan)?;
            self.outer = before;
        }
        let mut parts = Weight::NONE;
        let mut refused = None;
        let walked = expr.apply_children(|child| match self.expr(child, below) {
            Ok(weight) => {
                parts = parts.beside(weight);
                Ok(TreeNodeRecursion::Continue)
            }
            Err(found) => {
                refused = Some(found);
                Err(DataFusionError::Internal("refused".to_owned()))
            }
        });
        match (refused, walked) {
            (Some(refused), _) => Err(refused),
            (None, Ok(_)) => {
                let size = parts.size.saturating_mul(written_out(expr)).saturating_add(1);
                let computations = parts.computations.saturating_add(u64::from(is_computation(expr)));
                Ok(Weight { depth: parts.depth.saturating_add(1), computations, size })
            }
            (None, Err(_)) => Err(Diagnostic::error(Kind::Internal, "an expression could not be measured")),
        }
    }
}

/// How often an expression's parts are repeated when it is planned: `CUBE` of n columns is 2^n lists of them.
fn written_out(expr: &Expr) -> u64 {
    match expr {
        Expr::GroupingSet(GroupingSet::Cube(columns)) => {
            u32::try_from(columns.len()).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(u64::MAX)
        }
        Expr::GroupingSet(GroupingSet::Rollup(columns)) => columns.len() as u64 + 1,
        _ => 1,
    }
}

/// False for values, connectives and casts, whose types the engine knows without looking below them.
fn is_computation(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) | Expr::Not(_) | Expr::Cast(_) | Expr::TryCast(_) => false,
        Expr::BinaryExpr(binary) => !matches!(binary.op, Operator::And | Operator::Or),
        _ => true,
    }
}

fn weight_of(column: &Column, below: &[(&DFSchema, Vec<Weight>)]) -> Weight {
    let known = below.iter().find_map(|(schema, weights)| weights.get(schema.maybe_index_of_column(column)?).copied());
    // Never for a plan that was made from text; the heaviest will do.
    known.unwrap_or_else(|| below.iter().flat_map(|(_, weights)| weights).copied().fold(Weight::LEAF, Weight::heavier))
}

fn heaviest(weights: &[Weight]) -> Weight {
    weights.iter().copied().fold(Weight::LEAF, Weight::heavier)
}

fn too(what: &str, limit: u64, unit: &str) -> Diagnostic {
    Diagnostic::error(Kind::Exhausted, format!("the statement {what} {limit} {unit}"))
        .hint("compute less in queries that stand on each other, or use a value once instead of many times")
}
