//! `sum` of whole numbers that ends with an error where the result has no place in its type.
//!
//! The engine's sum wraps around: <https://github.com/apache/datafusion/issues/17539>. This one sums in 128 bits, in which no number of
//! rows overflows, and looks at the result alone: parts may leave the range and come back.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature,
};

/// What the engine's own sum works in for whole numbers.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// Takes the place of the engine's `sum`.
pub fn checked_sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(CheckedSum { inner: AggregateUDF::clone(&sum_udaf()) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedSum {
    inner: AggregateUDF,
}

fn is_whole(of: &DataType) -> bool {
    matches!(of, DataType::Int64 | DataType::UInt64)
}

fn wide(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(WIDE))
}

impl CheckedSum {
    /// What `make` makes of the arguments, as those of decimals where they are of whole numbers.
    fn widened<T>(args: &AccumulatorArgs, make: impl FnOnce(AccumulatorArgs) -> Result<T>) -> Result<T> {
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(wide).collect();
        make(AccumulatorArgs { return_field: wide(&args.return_field), expr_fields: &fields, ..args.clone() })
    }
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = args.return_type().clone();
        if !is_whole(&of) {
            return self.inner.accumulator(args);
        }
        let inner = Self::widened(&args, |args| self.inner.accumulator(args))?;
        Ok(Box::new(Checked { of, inner }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_whole(args.return_type()) {
            return self.inner.state_fields(args);
        }
        let return_field = wide(&args.return_field);
        self.inner.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let of = args.return_type().clone();
        if !is_whole(&of) {
            return self.inner.create_groups_accumulator(args);
        }
        let inner = Self::widened(&args, |args| self.inner.create_groups_accumulator(args))?;
        Ok(Box::new(Checked { of, inner }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = args.return_type().clone();
        // Of distinct values the engine has none for decimals.
        if !is_whole(&of) || args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        let inner = Self::widened(&args, |args| self.inner.create_sliding_accumulator(args))?;
        Ok(Box::new(Checked { of, inner }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}

/// An accumulator of decimals that is given whole numbers, and answers them.
#[derive(Debug)]
struct Checked<A: ?Sized> {
    of: DataType,
    inner: Box<A>,
}

fn widen(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    values.iter().map(|array| Ok(cast(array, &WIDE)?)).collect()
}

fn overflow() -> ArrowError {
    ArrowError::ArithmeticOverflow("a sum is too large for its type".to_owned())
}

fn narrow(sums: &ArrayRef, of: &DataType) -> Result<ArrayRef> {
    let wide = sums.as_primitive::<Decimal128Type>();
    Ok(match of {
        DataType::UInt64 => {
            Arc::new(wide.try_unary::<_, UInt64Type, _>(|sum| u64::try_from(sum).map_err(|_| overflow()))?)
        }
        _ => Arc::new(wide.try_unary::<_, Int64Type, _>(|sum| i64::try_from(sum).map_err(|_| overflow()))?),
    })
}

impl Accumulator for Checked<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&widen(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&narrow(&sum, &self.of)?, 0)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&widen(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Checked<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.inner.update_batch(&widen(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        narrow(&self.inner.evaluate(emit)?, &self.of)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.inner.merge_batch(values, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&widen(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
