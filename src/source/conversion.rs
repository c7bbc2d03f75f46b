//! [`convert`](super::convert) as a function of plans: in the place of a column whose files differ from what is promised.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::PhysicalExpr;

use super::convert::{convert, rename};

/// What is asked of the values of one column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Conversion {
    /// The values as the type `to` (in names of files), under the names of `shown`. Of structs only what is in `read` is looked at; the
    /// other members are NULL.
    Values { read: DataType, to: DataType, shown: DataType },
    /// TRUE in rows in which a value at the path (in names of files) has no meaning as part of the type.
    Lost { to: DataType, path: Vec<String> },
}

impl Conversion {
    pub(super) fn of(self, value: Expr) -> Expr {
        self.function().call(vec![value])
    }

    /// The conversion of a column of a file.
    pub(super) fn of_file(self, column: &str, file: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
        let value: Arc<dyn PhysicalExpr> = Arc::new(Column::new_with_schema(column, file)?);
        let field = Arc::new(Field::new(column, self.data_type(), true));
        let options = Arc::new(ConfigOptions::default());
        Ok(Arc::new(ScalarFunctionExpr::new("conform", Arc::new(self.function()), vec![value], field, options)))
    }

    fn function(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(Conform { conversion: self, signature: Signature::any(1, Volatility::Immutable) })
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Values { shown, .. } => shown.clone(),
            Self::Lost { .. } => DataType::Boolean,
        }
    }

    fn evaluate(&self, values: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::Values { read, to, shown } => {
                let found = convert(values, read)?.0;
                rename(&convert(&found, to)?.0, shown)?
            }
            Self::Lost { to, path } => Arc::new(convert(values, to)?.1.rows(path, values.len())),
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Conform {
    conversion: Conversion,
    signature: Signature,
}

impl ScalarUDFImpl for Conform {
    fn name(&self) -> &'static str {
        "conform"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        // Two conversions of one column are two columns.
        Ok(format!("{:?}({args:?})", self.conversion))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.conversion.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return internal_err!("one value is conformed") };
        let values = value.to_array(args.number_rows)?;
        self.conversion.evaluate(&values).map(ColumnarValue::Array)
    }
}
