//! How a Parquet file that differs from its table is read: what has no meaning as promised is NULL, and marked.
//!
//! The stock adapter casts and fails, below any policy: the query of somebody who may not see the row would end.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::compute::CastOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal, lit};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::PhysicalExpr;

use super::conversion::Conversion;

/// What a marker tells, and the column of the files that it is about.
#[derive(Debug, Clone)]
pub(super) struct Marker {
    pub column: String,
    pub lost: Conversion,
}

/// Makes adapters that never fail on a value. Names are those of the files.
#[derive(Debug)]
pub(super) struct TotalAdapters {
    /// Columns that a conversion makes what the table says.
    pub converted: BTreeSet<String>,
    pub marked: HashMap<String, Marker>,
}

impl PhysicalExprAdapterFactory for TotalAdapters {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let stock = DefaultPhysicalExprAdapterFactory.create(Arc::clone(&logical), Arc::clone(&physical))?;
        let (converted, marked) = (self.converted.clone(), self.marked.clone());
        Ok(Arc::new(TotalAdapter { stock, logical, physical, converted, marked }))
    }
}

#[derive(Debug)]
struct TotalAdapter {
    stock: Arc<dyn PhysicalExprAdapter>,
    logical: SchemaRef,
    physical: SchemaRef,
    converted: BTreeSet<String>,
    marked: HashMap<String, Marker>,
}

/// Stands for a column or marker while the stock adapter works, which would cast the one and does not know the other.
const PLACE: &str = "\0column:";
/// Stands for a text of the statement that begins like one of these: a reader could name a column with it.
const ESCAPED: &str = "\0text:";

/// What was put in the place of something else.
fn placed(node: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    match node.downcast_ref::<Literal>()?.value() {
        ScalarValue::Utf8(Some(text)) if text.starts_with(PLACE) || text.starts_with(ESCAPED) => Some(text),
        _ => None,
    }
}

impl TotalAdapter {
    /// True for what is made here and not by the stock adapter.
    fn is_ours(&self, column: &str) -> bool {
        self.marked.contains_key(column)
            || self.converted.contains(column) && self.physical.field_with_name(column).is_ok()
    }

    fn ours(&self, column: &str) -> Result<Arc<dyn PhysicalExpr>> {
        if let Some(marker) = self.marked.get(column) {
            // A column that the file lacks has nothing to lose.
            let Ok(_) = self.physical.field_with_name(&marker.column) else { return Ok(lit(false)) };
            return marker.lost.clone().of_file(&marker.column, &self.physical);
        }
        let (found, promised) = (self.physical.field_with_name(column)?, self.logical.field_with_name(column)?);
        if found.data_type() == promised.data_type() {
            return Ok(Arc::new(Column::new_with_schema(column, &self.physical)?));
        }
        let to = promised.data_type();
        Conversion::Values { read: to.clone(), to: to.clone(), shown: to.clone() }.of_file(column, &self.physical)
    }
}

impl PhysicalExprAdapter for TotalAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let held = expr.transform_up(|node| {
            let ours = node.downcast_ref::<Column>().map(Column::name).filter(|name| self.is_ours(name));
            Ok(match (ours, placed(&node)) {
                (Some(column), _) => Transformed::yes(lit(format!("{PLACE}{column}"))),
                (None, Some(text)) => Transformed::yes(lit(format!("{ESCAPED}{text}"))),
                (None, None) => Transformed::no(node),
            })
        });
        let adapted = self.stock.rewrite(held.data()?)?;
        let total = adapted.transform_up(|node| {
            if let Some(cast) = node.downcast_ref::<CastExpr>() {
                let safe = CastOptions { safe: true, ..cast.cast_options().clone() };
                let target = Arc::new(cast.target_field().as_ref().clone().with_nullable(true));
                let cast = CastExpr::new_with_target_field(Arc::clone(cast.expr()), target, Some(safe));
                return Ok(Transformed::yes(Arc::new(cast) as Arc<dyn PhysicalExpr>));
            }
            let Some(text) = placed(&node) else { return Ok(Transformed::no(node)) };
            match (text.strip_prefix(PLACE), text.strip_prefix(ESCAPED)) {
                (Some(column), _) => self.ours(column).map(Transformed::yes),
                (None, Some(text)) => Ok(Transformed::yes(lit(text))),
                (None, None) => Ok(Transformed::no(node)),
            }
        });
        total.data()
    }
}
