//! How a Parquet file whose times are not microseconds is read: a time that has none is NULL, and marked.
//!
//! The stock adapter casts and fails, below any policy: the query of somebody who may not see the row would end.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::compute::CastOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, IsNotNullExpr, IsNullExpr, Literal, lit};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::PhysicalExpr;

/// Column by marker, as the files call both.
pub(super) type Marked = Arc<HashMap<String, String>>;

/// Makes adapters that never fail on a value.
#[derive(Debug)]
pub(super) struct TotalAdapters(pub Marked);

impl PhysicalExprAdapterFactory for TotalAdapters {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let stock = DefaultPhysicalExprAdapterFactory.create(Arc::clone(&logical), Arc::clone(&physical))?;
        Ok(Arc::new(TotalAdapter { stock, logical, physical, marked: Arc::clone(&self.0) }))
    }
}

#[derive(Debug)]
struct TotalAdapter {
    stock: Arc<dyn PhysicalExprAdapter>,
    logical: SchemaRef,
    physical: SchemaRef,
    marked: Marked,
}

/// Stands for a marker while the stock adapter works, which knows no column of its name.
const PLACE: &str = "\0marker:";

impl TotalAdapter {
    /// TRUE where a value is there that its promised type cannot express.
    fn marker(&self, column: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let Ok(found) = self.physical.field_with_name(column) else { return Ok(lit(false)) };
        let promised = self.logical.field_with_name(column)?;
        if found.data_type() == promised.data_type() {
            return Ok(lit(false));
        }
        let value: Arc<dyn PhysicalExpr> = Arc::new(Column::new_with_schema(column, &self.physical)?);
        let target = Arc::new(promised.clone().with_nullable(true));
        let cast = Arc::new(CastExpr::new_with_target_field(Arc::clone(&value), target, Some(lossy())));
        let (there, lost) = (Arc::new(IsNotNullExpr::new(value)), Arc::new(IsNullExpr::new(cast)));
        Ok(Arc::new(BinaryExpr::new(there, Operator::And, lost)))
    }
}

fn lossy() -> CastOptions<'static> {
    CastOptions { safe: true, ..CastOptions::default() }
}

impl PhysicalExprAdapter for TotalAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let placed = expr.transform_up(|node| {
            let marker = node.downcast_ref::<Column>().and_then(|column| self.marked.get(column.name()));
            Ok(match marker {
                Some(column) => Transformed::yes(lit(format!("{PLACE}{column}"))),
                None => Transformed::no(node),
            })
        });
        let adapted = self.stock.rewrite(placed.data()?)?;
        let total = adapted.transform_up(|node| {
            if let Some(cast) = node.downcast_ref::<CastExpr>() {
                let safe = CastOptions { safe: true, ..cast.cast_options().clone() };
                let target = Arc::new(cast.target_field().as_ref().clone().with_nullable(true));
                let cast = CastExpr::new_with_target_field(Arc::clone(cast.expr()), target, Some(safe));
                return Ok(Transformed::yes(Arc::new(cast) as Arc<dyn PhysicalExpr>));
            }
            let place = node.downcast_ref::<Literal>().and_then(|literal| match literal.value() {
                ScalarValue::Utf8(Some(text)) => text.strip_prefix(PLACE),
                _ => None,
            });
            match place {
                Some(column) => self.marker(column).map(Transformed::yes),
                None => Ok(Transformed::no(node)),
            }
        });
        total.data()
    }
}
