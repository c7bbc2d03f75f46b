//! The functions that build what leaves the leaf: masked columns, and structs put together from what their fields show.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, StructArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::exposure::Shown;
use super::hash::HashKey;
use super::mask;

/// `(value, number of a step)` → what the step shows; NULL where there is no number.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Show {
    steps: Vec<Shown>,
    key: HashKey,
    text: bool,
    signature: Signature,
}

/// `value` as the chosen step shows it, in buffers of its own.
pub(super) fn show(value: Expr, step: Expr, steps: Vec<Shown>, key: HashKey, text: bool) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::new_from_impl(Show { steps, key, text, signature }).call(vec![value, step])
}

impl Show {
    fn evaluate(&self, value: &ArrayRef, step: &ArrayRef, output: &DataType) -> Result<ArrayRef> {
        let Some(chosen) = step.as_primitive_opt::<Int32Type>() else { return internal_err!("steps are numbers") };
        let number = |row: usize| chosen.is_valid(row).then(|| usize::try_from(chosen.value(row)).ok()).flatten();
        let mut shown = Vec::with_capacity(self.steps.len());
        for (i, step) in self.steps.iter().enumerate() {
            let array = mask::apply(*step, value, &|row| number(row) == Some(i), &self.key, self.text);
            if array.data_type() != output {
                return internal_err!("a mask changed the type of its column");
            }
            shown.push(array.to_data());
        }
        // Copied run by run: what a row does not show is in no buffer of the result.
        let valid = |step: usize, row: usize| shown.get(step).is_some_and(|data| data.is_valid(row));
        let source = |row: usize| number(row).filter(|step| valid(*step, row));
        let mut out = MutableArrayData::new(shown.iter().collect(), true, value.len());
        let mut row = 0;
        while row < value.len() {
            let from = source(row);
            let mut end = row + 1;
            while end < value.len() && source(end) == from {
                end += 1;
            }
            match from {
                Some(step) => out.try_extend(step, row, end)?,
                None => out.try_extend_nulls(end - row)?,
            }
            row = end;
        }
        Ok(make_array(out.freeze()))
    }
}

impl ScalarUDFImpl for Show {
    fn name(&self) -> &'static str {
        "show"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, inputs: &[DataType]) -> Result<DataType> {
        match inputs {
            _ if self.text => Ok(DataType::Utf8),
            [value, _] => Ok(value.clone()),
            _ => internal_err!("a mask takes a value and a step"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let output = args.return_field.data_type().clone();
        if let [value, ColumnarValue::Scalar(ScalarValue::Int32(Some(step)))] = args.args.as_slice()
            && let Some(step) = usize::try_from(*step).ok().and_then(|step| self.steps.get(step))
            && *step != Shown::CLEAR
        {
            // All rows show the same: the mask's own buffers will do.
            let value = value.to_array(args.number_rows)?;
            return Ok(ColumnarValue::Array(mask::apply(*step, &value, &|_| true, &self.key, self.text)));
        }
        let arrays = args.args.into_iter().map(|arg| arg.into_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let [value, step] = arrays.as_slice() else { return internal_err!("a mask takes a value and a step") };
        self.evaluate(value, step, &output).map(ColumnarValue::Array)
    }
}

/// `(shown, field, field, …)` → a struct of the fields, NULL where `shown` is not TRUE.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Assemble {
    data_type: DataType,
    signature: Signature,
}

pub(super) fn assemble(shown: Expr, fields: Vec<Expr>, data_type: DataType) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    let args = [shown].into_iter().chain(fields).collect();
    ScalarUDF::new_from_impl(Assemble { data_type, signature }).call(args)
}

impl ScalarUDFImpl for Assemble {
    fn name(&self) -> &'static str {
        "assemble"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.into_iter().map(|arg| arg.into_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let ([shown, fields @ ..], DataType::Struct(types)) = (arrays.as_slice(), &self.data_type) else {
            return internal_err!("a struct is put together from its fields");
        };
        let Some(shown) = shown.as_boolean_opt() else { return internal_err!("a condition is a boolean") };
        let nulls: NullBuffer = shown.iter().map(|shown| shown == Some(true)).collect();
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(types.clone(), fields.to_vec(), Some(nulls))?)))
    }
}
