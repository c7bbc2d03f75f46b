//! Aggregates that work in another type than that of their values, in which they are right.
//!
//! `sum` of whole numbers ends with an error where the result has no place in its type. The engine's sum wraps around:
//! <https://github.com/apache/datafusion/issues/17539>. This one sums in 128 bits, in which no number of rows overflows, and looks at the
//! result alone: parts may leave the range and come back.
//!
//! `min` and `max` of floats take NaN for the greatest number, as comparisons do. The engine's take it for either in groups, by the order
//! of rows. These work on whole numbers that have the order of the floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, FieldRef, Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type,
};
use arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

/// These take the places of the engine's `sum`, `min` and `max`.
pub fn carried_aggregates() -> [Arc<AggregateUDF>; 3] {
    let carried = |inner: Arc<AggregateUDF>, carrier| {
        Arc::new(AggregateUDF::from(Carried { inner: AggregateUDF::clone(&inner), carrier }))
    };
    [carried(sum_udaf(), Carrier::Wide), carried(min_udaf(), Carrier::Ordered), carried(max_udaf(), Carrier::Ordered)]
}

/// How values are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Carrier {
    /// Whole numbers as decimals, which is what the engine's own sum works in for those.
    Wide,
    /// Floats as whole numbers in the same order.
    Ordered,
}

impl Carrier {
    /// The type that carries values of another; none for values that carry themselves.
    fn of(self, data_type: &DataType) -> Option<DataType> {
        match (self, data_type) {
            (Self::Wide, DataType::Int64 | DataType::UInt64) => Some(DataType::Decimal128(38, 0)),
            (Self::Ordered, DataType::Float32) => Some(DataType::Int32),
            (Self::Ordered, DataType::Float64) => Some(DataType::Int64),
            _ => None,
        }
    }

    fn carry(self, values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let carried = |values: &ArrayRef| -> Result<ArrayRef> {
            Ok(match (self, values.data_type()) {
                (Self::Wide, _) => cast(values, &DataType::Decimal128(38, 0))?,
                (Self::Ordered, DataType::Float32) => {
                    let key =
                        |value: f32| ordered_32(if value.is_nan() { f32::NAN } else { value }.to_bits().cast_signed());
                    Arc::new(values.as_primitive::<Float32Type>().unary::<_, Int32Type>(key))
                }
                (Self::Ordered, DataType::Float64) => {
                    let key =
                        |value: f64| ordered_64(if value.is_nan() { f64::NAN } else { value }.to_bits().cast_signed());
                    Arc::new(values.as_primitive::<Float64Type>().unary::<_, Int64Type>(key))
                }
                (Self::Ordered, _) => Arc::clone(values),
            })
        };
        values.iter().map(carried).collect()
    }

    fn back(self, results: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        let overflow = || ArrowError::ArithmeticOverflow("a sum is too large for its type".to_owned());
        Ok(match (self, to) {
            (Self::Wide, DataType::UInt64) => {
                let sums = results.as_primitive::<Decimal128Type>();
                Arc::new(sums.try_unary::<_, UInt64Type, _>(|sum| u64::try_from(sum).map_err(|_| overflow()))?)
            }
            (Self::Wide, _) => {
                let sums = results.as_primitive::<Decimal128Type>();
                Arc::new(sums.try_unary::<_, Int64Type, _>(|sum| i64::try_from(sum).map_err(|_| overflow()))?)
            }
            (Self::Ordered, DataType::Float32) => {
                let value = |key| f32::from_bits(ordered_32(key).cast_unsigned());
                Arc::new(results.as_primitive::<Int32Type>().unary::<_, Float32Type>(value))
            }
            (Self::Ordered, _) => {
                let value = |key| f64::from_bits(ordered_64(key).cast_unsigned());
                Arc::new(results.as_primitive::<Int64Type>().unary::<_, Float64Type>(value))
            }
        })
    }
}

/// The bits of a float → a number in the order of floats (IEEE 754-2019, 5.10), and back: negative floats have theirs turned around.
fn ordered_64(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

fn ordered_32(bits: i32) -> i32 {
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Carried {
    inner: AggregateUDF,
    carrier: Carrier,
}

fn of_type(field: &FieldRef, data_type: &DataType) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(data_type.clone()))
}

impl Carried {
    /// What `make` makes of the arguments, as those of values that are carried.
    fn made<A: ?Sized>(
        &self,
        args: AccumulatorArgs,
        make: impl FnOnce(AccumulatorArgs) -> Result<Box<A>>,
        wrap: impl FnOnce(Working<A>) -> Box<A>,
    ) -> Result<Box<A>> {
        let of = args.return_type().clone();
        let Some(carried) = self.carrier.of(&of) else { return make(args) };
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(|field| of_type(field, &carried)).collect();
        let return_field = of_type(&args.return_field, &carried);
        let inner = make(AccumulatorArgs { return_field, expr_fields: &fields, ..args })?;
        Ok(wrap(Working { of, carrier: self.carrier, inner }))
    }
}

impl AggregateUDFImpl for Carried {
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

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.made(args, |args| self.inner.accumulator(args), |working| Box::new(working))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(carried) = self.carrier.of(args.return_type()) else { return self.inner.state_fields(args) };
        let return_field = of_type(&args.return_field, &carried);
        self.inner.state_fields(StateFieldsArgs { return_field, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.made(args, |args| self.inner.create_groups_accumulator(args), |working| Box::new(working))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        // Of distinct values the engine has none for decimals.
        if self.carrier == Carrier::Wide && args.is_distinct {
            return self.inner.create_sliding_accumulator(args);
        }
        self.made(args, |args| self.inner.create_sliding_accumulator(args), |working| Box::new(working))
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner.is_descending()
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        // Statistics of floats leave NaN out.
        self.inner.value_from_stats(args).filter(|value| self.carrier.of(&value.data_type()).is_none())
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

/// An accumulator of carried values that is given others, and answers them.
#[derive(Debug)]
struct Working<A: ?Sized> {
    of: DataType,
    carrier: Carrier,
    inner: Box<A>,
}

impl Accumulator for Working<dyn Accumulator> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&self.carrier.carry(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let result = self.inner.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.carrier.back(&result, &self.of)?, 0)
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
        self.inner.retract_batch(&self.carrier.carry(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

impl GroupsAccumulator for Working<dyn GroupsAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.inner.update_batch(&self.carrier.carry(values)?, groups, filter, count)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.carrier.back(&self.inner.evaluate(emit)?, &self.of)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.inner.merge_batch(values, groups, count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&self.carrier.carry(values)?, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
