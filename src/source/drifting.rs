//! Data files of Delta tables that differ from their log.
//!
//! Nanoseconds are cut down, as those of Parquet products are: the engine's cast cuts towards 1970. A member of a struct that the statement
//! does not read is left out where a file holds it in another type: it would fail the read of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use datafusion::physical_plan::PhysicalExpr;

use super::conform::FilePath;
use super::conversion::Conversion;

/// Members of structs that a statement does not read, and the policies over it neither, in names of files: an extension of the session
/// that plans the read.
#[derive(Debug, Default, Clone)]
pub struct UnreadMembers(BTreeSet<FilePath>);

impl UnreadMembers {
    /// By their paths, the column first.
    pub fn new(paths: impl IntoIterator<Item = Vec<String>>) -> Self {
        Self(paths.into_iter().collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(state: &dyn Session) -> Arc<Self> {
        state.config().get_extension().unwrap_or_default()
    }
}

/// Makes adapters that look at a file in a type of their own before those of the table do.
#[derive(Debug)]
pub(super) struct DriftingFiles {
    table: Arc<dyn PhysicalExprAdapterFactory>,
    unread: Arc<UnreadMembers>,
}

impl DriftingFiles {
    pub(super) fn new(table: Arc<dyn PhysicalExprAdapterFactory>, state: &dyn Session) -> Self {
        Self { table, unread: UnreadMembers::of(state) }
    }

    /// The type in which a field of a file is looked at. `promised` is what the log says.
    fn taken(&self, path: &FilePath, found: &FieldRef, promised: Option<&DataType>) -> FieldRef {
        let data_type = match (found.data_type(), promised) {
            (DataType::Timestamp(TimeUnit::Nanosecond, zone), _) => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            (DataType::Struct(members), promised) => {
                let promised = if let Some(DataType::Struct(promised)) = promised { Some(promised) } else { None };
                let members = members.iter().filter_map(|member| {
                    let path = [path.as_slice(), std::slice::from_ref(member.name())].concat();
                    let promised = promised.and_then(|fields| Some(fields.find(member.name())?.1.data_type()));
                    let is_same = promised.is_none_or(|promised| promised == member.data_type());
                    (is_same || !self.unread.0.contains(&path)).then(|| self.taken(&path, member, promised))
                });
                DataType::Struct(members.collect::<Fields>())
            }
            (DataType::List(item), promised) => {
                let promised = if let Some(DataType::List(item)) = promised { Some(item.data_type()) } else { None };
                // A list is one cell: nothing of it is left out.
                DataType::List(self.taken(&FilePath::new(), item, promised))
            }
            _ => return Arc::clone(found),
        };
        Arc::new(Field::clone(found).with_data_type(data_type))
    }
}

impl PhysicalExprAdapterFactory for DriftingFiles {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let fields = physical.fields().iter().map(|field| {
            let promised = logical.field_with_name(field.name()).ok().map(Field::data_type);
            self.taken(&vec![field.name().clone()], field, promised)
        });
        let taken = Arc::new(Schema::new_with_metadata(fields.collect::<Fields>(), physical.metadata().clone()));
        let table = self.table.create(logical, Arc::clone(&taken))?;
        Ok(if taken == physical { table } else { Arc::new(DriftingFile { table, taken, physical }) })
    }
}

#[derive(Debug)]
struct DriftingFile {
    table: Arc<dyn PhysicalExprAdapter>,
    taken: SchemaRef,
    physical: SchemaRef,
}

impl DriftingFile {
    /// A column of the file as it is taken, if that is not as it stands there.
    fn converted(&self, name: &str) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let (Ok(taken), Ok(found)) = (self.taken.field_with_name(name), self.physical.field_with_name(name)) else {
            return Ok(None);
        };
        let to = taken.data_type();
        if to == found.data_type() {
            return Ok(None);
        }
        let conversion = Conversion::Values { read: to.clone(), to: to.clone(), shown: to.clone() };
        conversion.of_file(name, &self.physical).map(Some)
    }
}

impl PhysicalExprAdapter for DriftingFile {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let adapted = self.table.rewrite(expr)?;
        let converted = adapted.transform_up(|node| {
            let column = node.downcast_ref::<Column>().map(Column::name);
            let converted = column.map_or(Ok(None), |name| self.converted(name))?;
            Ok(converted.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        converted.data()
    }
}
