//! What a principal sees of a dataset: its columns by name and type, and the expressions that make them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Case as CaseExpr, Expr, lit};

use super::cell::{assemble, show};
use super::exposure::{AnyOf, Case, Cell, Conditions, Reading, Rows, Shown};
use super::filter::{Compiler, all, any};
use super::hash::HashKey;
use crate::contract::{Column, Dataset};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::ColumnPath;
use crate::policy::{ColumnRules, Exposed};

/// A visible leaf column and how its cells are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnExposure {
    pub path: ColumnPath,
    /// Masks that some cell may be shown under, most revealing first; empty where every cell of a visible row is clear.
    pub masks: Vec<String>,
}

/// How each visible leaf column is shown, in the contract's order.
pub fn column_exposures(dataset: &Dataset, exposed: &Exposed) -> Vec<ColumnExposure> {
    let view = View::of(dataset, exposed);
    view.cells().into_iter().map(|(path, cell)| ColumnExposure { path: path.clone(), masks: cell.masks() }).collect()
}

/// A wide dataset is not searched for every column.
type ByPath<'a> = HashMap<&'a ColumnPath, &'a ColumnRules>;

/// What is visible of a dataset.
pub(super) struct View<'a> {
    pub rows: Rows,
    pub parts: Vec<Part<'a>>,
}

/// A visible column, or a visible field of a struct.
pub(super) struct Part<'a> {
    pub column: &'a Column,
    path: ColumnPath,
    shape: Shape<'a>,
}

enum Shape<'a> {
    Cell(Cell),
    Struct(Vec<Part<'a>>),
}

impl<'a> View<'a> {
    pub fn of(dataset: &'a Dataset, exposed: &Exposed) -> Self {
        let reading = Reading::of(exposed);
        let rules: ByPath<'_> = exposed.columns.iter().map(|rules| (&rules.path, rules)).collect();
        let parts = dataset
            .columns
            .iter()
            .filter_map(|column| Part::of(column, ColumnPath::root(column.name.clone()), &rules, &reading));
        Self { parts: parts.collect(), rows: reading.rows }
    }

    /// Every set of conditions that something of the view is made of, each once.
    pub fn conditions(&self) -> Vec<&Conditions> {
        let cells = self.cells();
        let cases = cells.iter().flat_map(|(_, cell)| &cell.cases).flat_map(|case| [&case.capped, &case.offered]);
        let alternatives = match &self.rows {
            Rows::Where(alternatives) => alternatives.as_slice(),
            Rows::None | Rows::All => &[],
        };
        let alternatives = alternatives.iter().chain(cells.iter().filter_map(|(_, cell)| cell.shown.as_ref()));
        let shown = alternatives.flat_map(|a| a.offered.iter().chain([&a.withheld]));
        let mut seen = HashSet::new();
        let all = cases.flatten().flatten().chain(shown).map(Arc::as_ref);
        all.filter(|conditions| seen.insert(std::ptr::from_ref(*conditions))).collect()
    }

    /// The visible leaf columns in the contract's order.
    pub fn cells(&self) -> Vec<(&ColumnPath, &Cell)> {
        fn walk<'p>(part: &'p Part<'_>, out: &mut Vec<(&'p ColumnPath, &'p Cell)>) {
            match &part.shape {
                Shape::Cell(cell) => out.push((&part.path, cell)),
                Shape::Struct(parts) => parts.iter().for_each(|part| walk(part, out)),
            }
        }
        let mut out = Vec::new();
        self.parts.iter().for_each(|part| walk(part, &mut out));
        out
    }
}

impl<'a> Part<'a> {
    fn of(column: &'a Column, path: ColumnPath, rules: &ByPath<'_>, reading: &Reading) -> Option<Self> {
        let shape = if column.fields.is_empty() {
            Shape::Cell(reading.cell(rules.get(&path)?, &column.data_type)?)
        } else {
            let fields = column.fields.iter();
            let parts: Vec<Part<'_>> =
                fields.filter_map(|field| Self::of(field, path.child(field.name.clone()), rules, reading)).collect();
            if parts.is_empty() {
                return None;
            }
            Shape::Struct(parts)
        };
        Some(Self { column, path, shape })
    }

    fn data_type(&self) -> DataType {
        match &self.shape {
            Shape::Cell(cell) if cell.text => DataType::Utf8,
            Shape::Cell(_) => self.column.data_type.clone(),
            Shape::Struct(parts) => DataType::Struct(parts.iter().map(Part::field).collect::<Fields>()),
        }
    }

    fn field(&self) -> Field {
        Field::new(self.column.name.as_str(), self.data_type(), true)
    }

    /// True where every cell of a visible row is the value itself, so that the column can be passed through.
    pub fn is_bare(&self) -> bool {
        match &self.shape {
            Shape::Cell(cell) => cell.is_bare(),
            Shape::Struct(parts) => {
                parts.len() == self.column.fields.len()
                    && parts.iter().all(Part::is_bare)
                    && self.data_type() == self.column.data_type
            }
        }
    }

    /// True where every cell is NULL, so that the values need not be read.
    fn is_null(&self) -> bool {
        matches!(&self.shape, Shape::Cell(cell) if cell.steps().iter().all(|shown| *shown == Shown::NULL))
    }

    /// The leaves whose values decide what is shown.
    pub fn cells_read(&self) -> Vec<&ColumnPath> {
        match &self.shape {
            Shape::Cell(_) if self.is_null() => Vec::new(),
            Shape::Cell(_) => vec![&self.path],
            Shape::Struct(parts) => parts.iter().flat_map(Part::cells_read).collect(),
        }
    }

    /// True for a column on which predicates and dynamic filters may run below the policy.
    ///
    /// No floating-point number does: files leave NaN out of their statistics and the engine takes it for the largest, so a visible
    /// NaN would come or go with the largest hidden number beside it.
    pub fn passes_through(&self) -> bool {
        matches!(self.shape, Shape::Cell(_)) && self.is_bare() && !self.column.data_type.is_floating()
    }

    /// The expression over the opened dataset's columns.
    pub fn expr(&self, compiler: &Compiler<'_>, key: &HashKey) -> Result<Expr> {
        let (value, _) = compiler.value(&self.path)?;
        if self.is_bare() {
            return Ok(compiler.checked(&self.path, value, None));
        }
        if self.is_null() {
            let null = ScalarValue::try_new_null(&self.data_type());
            return null.map(lit).map_err(|error| Diagnostic::error(Kind::Internal, error.to_string()));
        }
        Ok(match &self.shape {
            Shape::Cell(cell) => {
                let (step, steps) = (step(cell, compiler)?, cell.steps());
                let clear = steps.iter().position(|shown| *shown == Shown::CLEAR).and_then(|at| i32::try_from(at).ok());
                let shown = show(value, step.clone(), steps, key.clone(), cell.text);
                match clear {
                    Some(clear) => compiler.checked(&self.path, shown, Some(step.eq(lit(clear)))),
                    None => shown,
                }
            }
            Shape::Struct(parts) => {
                let fields = parts.iter().map(|part| part.expr(compiler, key)).collect::<Result<Vec<_>>>()?;
                // Whether the struct is there is told only where a field of it is.
                let mut shown = vec![value.is_not_null()];
                shown.extend(self.shown(compiler)?);
                assemble(all(shown), fields, self.data_type())
            }
        })
    }

    /// Where something of it is above hidden; `None` in every visible row.
    fn shown(&self, compiler: &Compiler<'_>) -> Result<Option<Expr>> {
        match &self.shape {
            Shape::Cell(cell) => cell.shown.as_ref().map(|alternative| compiler.alternative(alternative)).transpose(),
            Shape::Struct(parts) => {
                let each = parts.iter().map(|part| part.shown(compiler)).collect::<Result<Option<Vec<_>>>>()?;
                Ok(each.map(any))
            }
        }
    }
}

/// The visible columns in the contract's order, all nullable, without metadata. Known without touching storage.
pub(super) fn schema(view: &View<'_>) -> SchemaRef {
    Arc::new(Schema::new(view.parts.iter().map(Part::field).collect::<Fields>()))
}

/// The number of the step that a cell shows; NULL is hidden.
fn step(cell: &Cell, compiler: &Compiler<'_>) -> Result<Expr> {
    let steps = cell.steps();
    let number = |case: &Case| {
        let at = case.shown.and_then(|shown| steps.iter().position(|step| *step == shown));
        lit(ScalarValue::Int32(at.and_then(|at| i32::try_from(at).ok())))
    };
    let mut when: Vec<(Box<Expr>, Box<Expr>)> = Vec::new();
    let mut otherwise = lit(ScalarValue::Int32(None));
    for case in &cell.cases {
        let mut guards = Vec::new();
        if let Some(conditions) = conditional(case.capped.as_ref()) {
            guards.push(compiler.unforbidden(conditions)?.is_not_true());
        }
        if let Some(conditions) = conditional(case.offered.as_ref()) {
            guards.push(compiler.permitted(conditions)?.is_true());
        }
        if guards.is_empty() {
            otherwise = number(case);
            break;
        }
        when.push((Box::new(all(guards)), Box::new(number(case))));
    }
    if when.is_empty() {
        return Ok(otherwise);
    }
    Ok(Expr::Case(CaseExpr { expr: None, when_then_expr: when, else_expr: Some(Box::new(otherwise)) }))
}

fn conditional(rule: Option<&AnyOf>) -> Option<&Conditions> {
    rule.and_then(Option::as_deref)
}
