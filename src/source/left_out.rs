//! Files that the values of their partitions leave out.
//!
//! Readers skip a file where a filter names nothing but partitions, that of Delta tables in some forms only. Here a file is left out where
//! no row of it can pass, whatever else a filter names, and is not opened: what became of it is nobody's concern.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Fields, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

/// What a statement and the policies over it ask of the rows of a table.
pub(super) struct LeftOut {
    asked: Option<Expr>,
    partitions: Fields,
    simplifier: ExprSimplifier,
    /// By the values of the partitions.
    known: HashMap<Vec<ScalarValue>, bool>,
}

impl LeftOut {
    /// # Errors
    /// Those of the engine, for a schema with a name twice.
    pub(super) fn new(filters: &[Expr], schema: &SchemaRef, partitions: &Fields) -> Result<Self> {
        let names_partition =
            |filter: &&Expr| filter.column_refs().iter().any(|column| partitions.find(column.name()).is_some());
        let asked = conjunction(filters.iter().filter(names_partition).cloned());
        let schema = Arc::new(DFSchema::try_from(Arc::clone(schema))?);
        let context = SimplifyContext::builder().with_schema(schema).build();
        let partitions = partitions.clone();
        Ok(Self { asked, partitions, simplifier: ExprSimplifier::new(context), known: HashMap::new() })
    }

    /// True where no row of a file with these values can pass.
    pub(super) fn is(&mut self, values: &[ScalarValue]) -> bool {
        if values.len() != self.partitions.len() {
            return false;
        }
        let Some(asked) = &self.asked else { return false };
        if let Some(known) = self.known.get(values) {
            return *known;
        }
        // What cannot be decided is read.
        let left_out = self.never(asked, values).unwrap_or(false);
        self.known.insert(values.to_vec(), left_out);
        left_out
    }

    fn never(&self, asked: &Expr, values: &[ScalarValue]) -> Result<bool> {
        let asked = asked.clone().transform(|part| {
            let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
            let found = self.partitions.find(column.name()).and_then(|(at, field)| Some((values.get(at)?, field)));
            match found {
                Some((value, field)) => Ok(Transformed::yes(lit(value.cast_to(field.data_type())?))),
                None => Ok(Transformed::no(part)),
            }
        });
        let left = self.simplifier.simplify(asked.data()?)?;
        Ok(matches!(left, Expr::Literal(ScalarValue::Boolean(None | Some(false)), _)))
    }
}
