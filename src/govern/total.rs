//! The functions that compiled policies use. Total: what cannot be computed is NULL, never an error.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, make_array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::literal::Kind;
use crate::policy::PatternPart;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Function {
    /// A field of a struct; NULL where the struct is.
    Field(String),
    /// A column in Cedar's own units, of which `Kind::canonical` is the type; NULL where the value does not fit Cedar's range.
    Canonical(Kind),
    /// FALSE where a value is there and Cedar's type cannot hold it, else TRUE.
    Fits(Kind),
    Add,
    Subtract,
    Multiply,
    Negate,
    /// Text against a pattern.
    Like(Vec<PatternPart>),
    /// A list of text holds one of these, or all of these.
    HoldsAny(Vec<String>),
    HoldsAll(Vec<String>),
    IsEmpty,
}

impl Function {
    pub fn call(self, args: Vec<Expr>) -> Expr {
        ScalarUDF::new_from_impl(Total { function: self, signature: Signature::variadic_any(Volatility::Immutable) })
            .call(args)
    }

    fn output(&self, inputs: &[DataType]) -> Result<DataType> {
        Ok(match self {
            Self::Field(name) => match inputs {
                [DataType::Struct(fields)] => match fields.iter().find(|field| field.name() == name) {
                    Some(field) => field.data_type().clone(),
                    None => return internal_err!("a struct lacks a field that its contract has"),
                },
                _ => return internal_err!("fields are taken of structs"),
            },
            Self::Canonical(kind) => kind.canonical(),
            Self::Add | Self::Subtract | Self::Multiply | Self::Negate => DataType::Int64,
            Self::Fits(_) | Self::Like(_) | Self::HoldsAny(_) | Self::HoldsAll(_) | Self::IsEmpty => DataType::Boolean,
        })
    }

    fn evaluate(&self, args: &[ArrayRef]) -> Result<ArrayRef> {
        let binary = |op: fn(i64, i64) -> Option<i64>| -> Result<ArrayRef> {
            let [left, right] = args else { return internal_err!("arithmetic takes two values") };
            let (Some(left), Some(right)) =
                (left.as_primitive_opt::<Int64Type>(), right.as_primitive_opt::<Int64Type>())
            else {
                return internal_err!("arithmetic is of 64-bit integers");
            };
            let values = left.iter().zip(right.iter()).map(|(left, right)| op(left?, right?));
            Ok(Arc::new(values.collect::<Int64Array>()))
        };
        let [first, ..] = args else { return internal_err!("a function needs a value") };
        Ok(match self {
            Self::Add => return binary(i64::checked_add),
            Self::Subtract => return binary(i64::checked_sub),
            Self::Multiply => return binary(i64::checked_mul),
            Self::Negate => {
                let Some(values) = first.as_primitive_opt::<Int64Type>() else {
                    return internal_err!("arithmetic is of 64-bit integers");
                };
                Arc::new(values.iter().map(|v| v?.checked_neg()).collect::<Int64Array>())
            }
            Self::Field(name) => field(first, name)?,
            Self::Canonical(kind) => canonical(*kind, first)?,
            Self::Fits(Kind::Set) => Arc::new(sets(first, |set| set.iter().all(Option::is_some), Some(true))?),
            Self::Fits(kind) => {
                let values = canonical(*kind, first)?;
                Arc::new(
                    (0..first.len()).map(|i| Some(first.is_null(i) || values.is_valid(i))).collect::<BooleanArray>(),
                )
            }
            Self::Like(parts) => {
                let Some(values) = first.as_string_opt::<i32>() else { return internal_err!("patterns are of text") };
                Arc::new(values.iter().map(|value| value.map(|value| like(value, parts))).collect::<BooleanArray>())
            }
            Self::HoldsAny(wanted) => {
                Arc::new(sets(first, |set| wanted.iter().any(|w| set.contains(&Some(w.as_str()))), None)?)
            }
            Self::HoldsAll(wanted) => {
                Arc::new(sets(first, |set| wanted.iter().all(|w| set.contains(&Some(w.as_str()))), None)?)
            }
            Self::IsEmpty => Arc::new(sets(first, |set| set.is_empty(), None)?),
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Total {
    function: Function,
    signature: Signature,
}

impl ScalarUDFImpl for Total {
    fn name(&self) -> &'static str {
        "policy"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        // Two functions of the same arguments are two columns.
        Ok(format!("{:?}({args:?})", self.function))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, inputs: &[DataType]) -> Result<DataType> {
        self.function.output(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.into_iter().map(|arg| arg.into_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        self.function.evaluate(&arrays).map(ColumnarValue::Array)
    }
}

fn field(array: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let Some(values) = array.as_struct_opt() else { return internal_err!("fields are taken of structs") };
    let Some(field) = values.column_by_name(name) else { return internal_err!("a struct lacks a field") };
    if values.null_count() == 0 {
        return Ok(Arc::clone(field));
    }
    // A child may hold values under a NULL struct.
    let nulls = NullBuffer::union(values.nulls(), field.logical_nulls().as_ref());
    Ok(make_array(field.to_data().into_builder().nulls(nulls).build()?))
}

/// Cedar's value of a column: 64-bit integers, ten-thousandths, microseconds.
fn canonical(kind: Kind, array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match (kind, array.data_type()) {
        (Kind::Long, DataType::UInt64) => {
            let values = array.as_primitive::<UInt64Type>();
            Arc::new(values.iter().map(|v| i64::try_from(v?).ok()).collect::<Int64Array>())
        }
        // Every other integer type widens.
        (Kind::Long, _) => cast(array, &DataType::Int64)?,
        (Kind::Decimal, DataType::Decimal128(_, scale)) => {
            let values = array.as_primitive::<Decimal128Type>();
            Arc::new(values.iter().map(|v| ten_thousandths(v?, *scale)).collect::<Int64Array>())
        }
        (Kind::Datetime, data_type) => {
            let micros: Decimal128Array = match data_type {
                DataType::Date32 => array
                    .as_primitive::<Date32Type>()
                    .iter()
                    .map(|v| v.map(|v| i128::from(v) * 86_400_000_000))
                    .collect(),
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    array.as_primitive::<TimestampMicrosecondType>().iter().map(|v| v.map(i128::from)).collect()
                }
                _ => return Ok(new_null_array(&kind.canonical(), array.len())),
            };
            Arc::new(micros.with_data_type(kind.canonical()))
        }
        (Kind::String | Kind::Bool | Kind::Set, _) => Arc::clone(array),
        (Kind::Decimal, _) => new_null_array(&kind.canonical(), array.len()),
    })
}

/// Exactly, or not at all.
fn ten_thousandths(value: i128, scale: i8) -> Option<i64> {
    let exponent = 4 - i32::from(scale);
    let tens = 10_i128.checked_pow(exponent.unsigned_abs());
    let scaled = if exponent >= 0 {
        if value == 0 { 0 } else { value.checked_mul(tens?)? }
    } else {
        match tens {
            Some(tens) if value % tens == 0 => value / tens,
            None if value == 0 => 0,
            _ => return None,
        }
    };
    i64::try_from(scaled).ok()
}

fn sets(array: &ArrayRef, test: impl Fn(&[Option<&str>]) -> bool, null: Option<bool>) -> Result<BooleanArray> {
    let Some(lists) = array.as_list_opt::<i32>() else { return internal_err!("sets are lists") };
    let Some(values) = lists.values().as_string_opt::<i32>() else { return internal_err!("sets are of text") };
    let offsets = lists.value_offsets();
    let mut items = Vec::new();
    let rows = offsets.iter().zip(offsets.iter().skip(1)).enumerate().map(|(row, (from, to))| {
        if lists.is_null(row) {
            return null;
        }
        let range = usize::try_from(*from).unwrap_or(0)..usize::try_from(*to).unwrap_or(0);
        items.clear();
        items.extend(range.map(|i| values.is_valid(i).then(|| values.value(i))));
        Some(test(&items))
    });
    Ok(rows.collect())
}

/// Cedar's `like`: wildcards match any run of characters; everything else matches itself.
fn like(value: &str, parts: &[PatternPart]) -> bool {
    let mut rest = value;
    let mut floating = false;
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            PatternPart::Wildcard => floating = true,
            PatternPart::Text(text) if !floating => match rest.strip_prefix(text.as_str()) {
                Some(after) => rest = after,
                None => return false,
            },
            PatternPart::Text(text) => {
                // The parts after a wildcard may stand apart only by wildcards, so the leftmost place is the best one,
                // but what ends the pattern must end the value.
                if parts.peek().is_none() {
                    return rest.ends_with(text.as_str());
                }
                match rest.find(text.as_str()).and_then(|at| rest.get(at + text.len()..)) {
                    Some(after) => rest = after,
                    None => return false,
                }
                floating = false;
            }
        }
    }
    floating || rest.is_empty()
}
