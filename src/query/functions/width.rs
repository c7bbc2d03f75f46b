//! How many bytes the expressions of a plan can make for one row: engines reserve what operators hold, not what functions make.
//!
//! `repeat('x', 1000000)` is a megabyte, harmless once and eight gigabytes in a batch of 8,192 rows. So the widest row of a plan
//! decides how many rows are worked on at once, and a row that is too wide by itself is refused. Columns of datasets and results of
//! aggregates count as usual values: the pool and the batch size bound those. Where many rows are gathered into one value, what multiplies
//! it counts it as long.

use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};

use super::value::{GATHERED, USUAL, Width, cast_to, costs, is_boundless, literal, made, most_of_columns};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Bytes that one batch of one operator may take by what expressions make, whatever memory there is.
const BATCH: u64 = 256 << 20;
/// Rows in a batch unless they are wide.
const ROWS: u64 = 8_192;
/// A row as wide as this leaves too few rows in a batch to be worth anything.
const WIDEST: u64 = BATCH / 8;
/// Steps of a plan that are looked at; a recursive query is looked at twice, with all that is in it.
const VISITS: u64 = 100_000;
/// Rounds of a recursive query that its text grows by.
const ROUNDS: u64 = 1_000;

/// How many rows of `plan` may be worked on at once, if what expressions make for a batch is to take `batch` bytes.
///
/// # Errors
/// `Exhausted` where one row is too wide.
pub fn rows_at_once(plan: &LogicalPlan, batch: usize) -> Result<usize> {
    let typed = is_typed(plan)?;
    let mut walk = Walk { working: HashMap::new(), widest: 0, value: Width::of(USUAL), visits: 0, typed };
    walk.plan(plan)?;
    let rows = ((batch as u64).min(BATCH) / walk.widest.max(1)).clamp(1, ROWS);
    Ok(usize::try_from(rows).unwrap_or(1))
}

struct Walk {
    /// What recursive queries hand to themselves, by name.
    working: HashMap<String, Vec<Width>>,
    widest: u64,
    /// The widest single value so far, and whether one is gathered: what a subquery can be handed from around it.
    value: Width,
    visits: u64,
    /// Whether types have to be looked at: only casts and bound values bring such as have a size of their own, or none that bounds
    /// them. (`string_agg` makes one too; what it gathers counts as long wherever it is made longer.)
    typed: bool,
}

impl Walk {
    /// The widths of the plan's columns.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Width>> {
        self.visits += 1;
        if self.visits > VISITS {
            return Err(Diagnostic::error(Kind::Exhausted, "the statement has too many steps")
                .hint("nest fewer recursive queries"));
        }
        let widths = match plan {
            LogicalPlan::Projection(node) => {
                let below = Below { schema: node.input.schema(), widths: self.plan(&node.input)? };
                self.exprs(&node.expr, &below)?
            }
            LogicalPlan::Aggregate(node) => {
                let below = Below { schema: node.input.schema(), widths: self.plan(&node.input)? };
                let mut widths = self.exprs(&node.group_expr, &below)?;
                widths.extend(self.exprs(&node.aggr_expr, &below)?);
                as_many(widths, plan)
            }
            LogicalPlan::Window(node) => {
                let mut widths = self.plan(&node.input)?;
                let below = Below { schema: node.input.schema(), widths: widths.clone() };
                widths.extend(self.exprs(&node.window_expr, &below)?);
                widths
            }
            LogicalPlan::Unnest(node) => {
                let below = self.plan(&node.input)?;
                let lists: Vec<usize> = node.list_type_columns.iter().map(|(at, _)| *at).collect();
                let width = |at: &usize| {
                    let width = below.get(*at).copied().unwrap_or(Width::of(USUAL));
                    if lists.contains(at) { width.element() } else { width }
                };
                let widths: Vec<Width> = node.dependency_indices.iter().map(width).collect();
                // One step copies what stands beside a list once for each of its elements.
                let longest = lists.iter().filter_map(|at| below.get(*at)).map(|list| list.elements).max().unwrap_or(1);
                let row = widths.iter().fold(0_u64, |sum, width| sum.saturating_add(width.bytes));
                self.copied(row.saturating_mul(longest))?;
                widths
            }
            LogicalPlan::Join(node) => {
                let mut widths = self.plan(&node.left)?;
                widths.extend(self.plan(&node.right)?);
                let below = Below { schema: &node.schema, widths: widths.clone() };
                for (left, right) in &node.on {
                    self.exprs(&[left.clone(), right.clone()], &below)?;
                }
                self.exprs(node.filter.as_slice(), &below)?;
                // One gathered value may be copied beside each row of the other side.
                let gathered = widths.iter().filter(|width| width.gathered).count() as u64;
                self.copied(gathered.saturating_mul(GATHERED))?;
                as_many(widths, plan)
            }
            LogicalPlan::Values(node) => {
                let below = Below { schema: &node.schema, widths: Vec::new() };
                let mut widths: Vec<Width> = Vec::new();
                for row in &node.values {
                    let row = self.exprs(row, &below)?;
                    widths = if widths.is_empty() { row } else { wider(&widths, &row) };
                }
                widths
            }
            LogicalPlan::TableScan(node) => match self.working.get(&folded(&node.table_name)) {
                Some(widths) => widths.clone(),
                None => usual(plan.schema()),
            },
            LogicalPlan::RecursiveQuery(node) => {
                let first = self.plan(&node.static_term)?;
                let mut round = |widths: &Vec<Width>| {
                    self.working.insert(node.name.to_lowercase(), widths.clone());
                    self.plan(&node.recursive_term).map(|next| wider(widths, &next))
                };
                let second = round(&first)?;
                let third = round(&second)?;
                grown(&first, &second, &third)?
            }
            LogicalPlan::Union(node) => {
                let mut widths: Vec<Width> = Vec::new();
                for input in &node.inputs {
                    let input = self.plan(input)?;
                    widths = if widths.is_empty() { input } else { wider(&widths, &input) };
                }
                widths
            }
            other => {
                let mut widths = Vec::new();
                for input in other.inputs() {
                    widths.extend(self.plan(input)?);
                }
                let schema = other.inputs().first().map(|input| DFSchema::clone(input.schema()));
                let below = Below { schema: schema.as_ref().unwrap_or(other.schema()), widths: widths.clone() };
                self.exprs(&other.expressions(), &below)?;
                as_many(widths, other)
            }
        };
        self.row(&widths)?;
        Ok(widths)
    }

    fn exprs(&mut self, exprs: &[Expr], below: &Below<'_>) -> Result<Vec<Width>> {
        let widths = exprs.iter().map(|expr| self.expr(expr, below)).collect::<Result<Vec<_>>>()?;
        self.row(&widths)?;
        Ok(widths)
    }

    /// Bytes that one step makes of one row: fewer rows in a step are the answer as long as there is one.
    fn copied(&mut self, bytes: u64) -> Result<()> {
        if bytes > BATCH {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                format!("one row of this statement can become more than {} MiB", BATCH >> 20),
            )
            .hint("use smaller sizes, or fewer columns beside a long list"));
        }
        self.widest = self.widest.max(bytes);
        Ok(())
    }

    fn row(&mut self, widths: &[Width]) -> Result<()> {
        let bytes = widths.iter().fold(0_u64, |sum, width| sum.saturating_add(width.bytes));
        self.value = widths.iter().copied().fold(self.value, Width::max);
        if bytes > WIDEST {
            return Err(Diagnostic::error(
                Kind::Exhausted,
                format!("one row of this statement can take more than {} MiB", WIDEST >> 20),
            )
            .hint("use smaller sizes, shorter texts, or fewer calls that make long values"));
        }
        self.widest = self.widest.max(bytes);
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, below: &Below<'_>) -> Result<Width> {
        let width = match expr {
            Expr::Column(column) => return Ok(below.width(column)),
            Expr::OuterReferenceColumn(field, _) => return Ok(Width::usual(field.data_type()).max(self.value)),
            Expr::Literal(value, _) => return Ok(literal(value)),
            Expr::Alias(alias) => return self.expr(&alias.expr, below),
            Expr::Cast(cast) => cast_to(self.expr(&cast.expr, below)?, cast.field.data_type()),
            Expr::TryCast(cast) => cast_to(self.expr(&cast.expr, below)?, cast.field.data_type()),
            Expr::Case(case) => {
                let mut widest = Width::of(0);
                for (when, then) in &case.when_then_expr {
                    self.expr(when, below)?;
                    widest = widest.max(self.expr(then, below)?);
                }
                match &case.else_expr {
                    Some(other) => widest.max(self.expr(other, below)?),
                    None => widest,
                }
            }
            Expr::BinaryExpr(binary) => {
                let both = self.expr(&binary.left, below)?.plus(self.expr(&binary.right, below)?);
                if binary.op == Operator::StringConcat { both } else { Width::of(USUAL) }
            }
            Expr::ScalarFunction(call) => {
                let args = call.args.iter().map(|arg| self.expr(arg, below)).collect::<Result<Vec<_>>>()?;
                costs(call.name(), &args)?;
                made(call.name(), &args, &call.args)
            }
            Expr::HigherOrderFunction(call) => {
                let (mut lists, mut bodies) = (Width::of(0), Width::of(0));
                for arg in &call.args {
                    match arg {
                        Expr::Lambda(lambda) => bodies = bodies.plus(self.expr(&lambda.body, below)?),
                        list => lists = lists.plus(self.expr(list, below)?),
                    }
                }
                bodies.times(lists.count()).list(lists.elements).max(lists)
            }
            Expr::LambdaVariable(_) | Expr::Placeholder(_) => return Ok(Width::of(USUAL)),
            Expr::AggregateFunction(call) => {
                let args = call.params.args.iter().map(|arg| self.expr(arg, below));
                let widest = args.collect::<Result<Vec<_>>>()?.into_iter().fold(Width::of(USUAL), Width::max);
                Width { gathered: widest.gathered || GATHERING.contains(&call.func.name()), ..widest }
            }
            Expr::WindowFunction(call) => {
                let args = call.params.args.iter().map(|arg| self.expr(arg, below));
                let widest = args.collect::<Result<Vec<_>>>()?.into_iter().fold(Width::of(USUAL), Width::max);
                if GATHERING.contains(&call.fun.name()) {
                    return Err(Diagnostic::error(
                        Kind::Unsupported,
                        format!(
                            "`{}` over a window is not offered: it would gather all rows in each row",
                            call.fun.name()
                        ),
                    )
                    .hint("use it with `GROUP BY`"));
                }
                widest
            }
            Expr::ScalarSubquery(subquery) => {
                self.plan(&subquery.subquery)?.first().copied().unwrap_or(Width::of(USUAL))
            }
            Expr::Exists(exists) => {
                self.plan(&exists.subquery.subquery)?;
                Width::of(1)
            }
            Expr::InSubquery(list) => {
                self.plan(&list.subquery.subquery)?;
                self.expr(&list.expr, below)?;
                Width::of(1)
            }
            Expr::SetComparison(comparison) => {
                self.plan(&comparison.subquery.subquery)?;
                self.expr(&comparison.expr, below)?;
                Width::of(1)
            }
            other => self.parts(other, below)?,
        };
        let width = if self.typed { sized(expr, width, below)? } else { width };
        self.row(&[width])?;
        Ok(width)
    }

    /// Everything else makes no more than its parts are.
    fn parts(&mut self, expr: &Expr, below: &Below<'_>) -> Result<Width> {
        let mut sum = Ok(Width::of(USUAL));
        let walked = expr.apply_children(|child| {
            let width = self.expr(child, below);
            sum = match (sum.clone(), width) {
                (Ok(sum), Ok(width)) => Ok(sum.max(width)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            Ok(if sum.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        });
        walked.map_err(|_| Diagnostic::error(Kind::Internal, "an expression could not be measured"))?;
        sum
    }
}

/// The width with what the type alone takes.
///
/// Widths are guesses where values come from columns. What they are wrong by is stopped by the two gigabytes that an array can have, so
/// values of types without that bound are not multiplied, and gathered ones do not become such by a cast.
fn sized(expr: &Expr, width: Width, below: &Below<'_>) -> Result<Width> {
    let of = expr.get_type(below.schema).map_err(|error| {
        let message = format!("the type of an expression is not known: {}", error.strip_backtrace());
        Diagnostic::error(Kind::Unsupported, message).hint("cast what it is made of to types that go together")
    })?;
    let guessed = if width.gathered { casts(expr) } else { width.bytes > most_of_columns(&of) && has_columns(expr) };
    if guessed && is_boundless(&of) {
        let message = format!("`{of}` is not offered for what is made of many values: it can be of any size");
        return Err(Diagnostic::error(Kind::Unsupported, message).hint("use `Utf8`, `Binary` or `List(…)`"));
    }
    Ok(width.of_type(&of))
}

fn has_columns(expr: &Expr) -> bool {
    !expr.column_refs().is_empty() || expr.contains_outer()
}

/// Whether anything in the plan is cast to a type whose values have a size of their own, or none that bounds them.
fn is_typed(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(casts(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    });
    walked.map_err(|_| Diagnostic::error(Kind::Internal, "a plan could not be measured"))?;
    Ok(found)
}

fn casts(expr: &Expr) -> bool {
    let to = match expr {
        Expr::Cast(cast) => cast.field.data_type(),
        Expr::TryCast(cast) => cast.field.data_type(),
        Expr::ScalarFunction(call) => return CASTING.contains(&call.name()),
        Expr::Literal(value, _) => return is_boundless(&value.data_type()),
        _ => return false,
    };
    is_boundless(to) || Width::of(0).of_type(to) != Width::of(0)
}

/// Functions that make values of a type that is asked for.
const CASTING: [&str; 4] = ["arrow_cast", "arrow_try_cast", "cast_to_type", "try_cast_to_type"];

/// Aggregates whose result grows with the rows.
const GATHERING: [&str; 2] = ["array_agg", "string_agg"];

struct Below<'a> {
    schema: &'a DFSchema,
    widths: Vec<Width>,
}

impl Below<'_> {
    fn width(&self, column: &datafusion::common::Column) -> Width {
        let known = self.schema.maybe_index_of_column(column).and_then(|at| self.widths.get(at)).copied();
        known.unwrap_or_else(|| {
            // Of several inputs, only the first one's schema is at hand: the widest will do.
            self.widths.iter().copied().fold(Width::of(USUAL), Width::max)
        })
    }
}

/// A plan that does not pass on each column of its inputs has columns of usual width, or as wide as the widest below.
fn as_many(widths: Vec<Width>, plan: &LogicalPlan) -> Vec<Width> {
    let columns = plan.schema().fields().len();
    if widths.len() == columns {
        return widths;
    }
    let widest = widths.into_iter().fold(Width::of(0), Width::max);
    usual(plan.schema()).into_iter().map(|usual| usual.max(widest)).collect()
}

fn folded(table: &TableReference) -> String {
    table.to_string().to_lowercase()
}

fn usual(schema: &DFSchema) -> Vec<Width> {
    schema.fields().iter().map(|field| Width::usual(field.data_type())).collect()
}

fn wider(one: &[Width], other: &[Width]) -> Vec<Width> {
    one.iter().zip(other).map(|(one, other)| one.max(*other)).collect()
}

/// What a recursive query may come to. Text that grows by the same in each round is fine, text that doubles is not.
fn grown(first: &[Width], second: &[Width], third: &[Width]) -> Result<Vec<Width>> {
    let mut widths = Vec::new();
    for ((first, second), third) in first.iter().zip(second).zip(third) {
        let (once, twice) = (second.bytes.saturating_sub(first.bytes), third.bytes.saturating_sub(second.bytes));
        if twice > once {
            return Err(Diagnostic::error(Kind::Exhausted, "a value of the recursive query doubles in each round")
                .hint("let it grow by the same in each round, or not at all"));
        }
        let bytes = if twice == 0 { third.bytes } else { first.bytes.saturating_add(once.saturating_mul(ROUNDS)) };
        widths.push(Width { bytes, ..*third });
    }
    Ok(widths)
}
