//! A function whose calls are bounded.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{ExprSchema, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, StructFieldMapping, Volatility,
};

use super::cost::{CallCost, CostRule, PATTERN_STATES, ROW_STEPS, VALUE_BYTES, VALUE_STEPS};
use super::evaluation;
use super::operator::CallOperator;
use super::size::ArgumentSizes;
use crate::diagnostic::{Diagnostic, Kind};
use crate::engine::{CalledOff, StatementControl};

const MIB: u64 = 1 << 20;
/// What calls make in one evaluation before it is cut to fewer rows.
pub(super) const PIECE_BYTES: u64 = 16 * MIB;
/// What is not worth a look at the pool.
const UNCOUNTED_BYTES: u64 = 64 << 10;
/// How often a constant is there at most while a plan is made: passes of the planner copy what they change, and rows are made of it.
const PLAN_COPIES: u64 = 6;
/// Bytes that one call makes where no operator cuts its rows.
const CALL_BYTES: u64 = 1 << 30;

/// What is bounded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Callee {
    Function(Arc<ScalarUDF>),
    Operator(CallOperator, Signature),
}

/// A function, or an operator that works like one, that measures before it computes. It answers what the callee answers.
pub(super) struct BoundedCall {
    callee: Callee,
    rule: &'static CostRule,
    control: Arc<StatementControl>,
    pace: Pace,
}

/// How work is divided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// As long as one slice is meant to take: the statement's end is looked for behind each.
    pub slice: Duration,
    /// Steps that are done at once, without a look at single rows.
    pub whole_steps: u64,
    /// Steps of the first slice, before anything was measured.
    pub first_steps: u64,
    /// Steps of the smallest slice: each of them prepares patterns again.
    pub least_steps: u64,
}

impl Pace {
    const USUAL: Self =
        Self { slice: Duration::from_millis(25), whole_steps: 4_000_000, first_steps: 2_000_000, least_steps: 500_000 };

    /// As many steps as would have taken one slice, where `steps` took `took`; at most eight times as many as before.
    fn adapted(&self, steps: u64, took: Duration) -> u64 {
        let fitting = u128::from(steps).saturating_mul(self.slice.as_nanos()) / took.as_nanos().max(1);
        u64::try_from(fitting).unwrap_or(u64::MAX).min(steps.saturating_mul(8)).max(self.least_steps)
    }
}

impl BoundedCall {
    pub fn of_function(function: Arc<ScalarUDF>, rule: &'static CostRule, control: &Arc<StatementControl>) -> Self {
        Self { callee: Callee::Function(function), rule, control: Arc::clone(control), pace: Pace::USUAL }
    }

    pub fn of_operator(operator: CallOperator, control: &Arc<StatementControl>) -> Self {
        let rule = operator.rule();
        let callee = Callee::Operator(operator, Signature::any(2, Volatility::Immutable));
        Self { callee, rule, control: Arc::clone(control), pace: Pace::USUAL }
    }

    #[cfg(test)]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    fn function(&self) -> Option<&ScalarUDF> {
        match &self.callee {
            Callee::Function(function) => Some(function),
            Callee::Operator(..) => None,
        }
    }

    /// # Errors
    /// `CalledOff` once nobody wants the statement.
    fn check_wanted(&self) -> Result<()> {
        if self.control.is_cancelled() { Err(CalledOff::error()) } else { Ok(()) }
    }

    fn call(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // DataFusion 55 answers the first row's text for all rows where only the format is a column.
        if self.name() == "to_char"
            && let [ColumnarValue::Scalar(time), ColumnarValue::Array(_)] = args.args.as_slice()
        {
            let times = ColumnarValue::Array(time.to_array_of_size(args.number_rows)?);
            if let Some(first) = args.args.first_mut() {
                *first = times;
            }
        }
        match &self.callee {
            Callee::Function(function) => function.invoke_with_args(args),
            Callee::Operator(operator, _) => operator.evaluate(&args.args, &args.arg_fields, args.number_rows),
        }
    }

    fn measure(&self, args: &[ColumnarValue]) -> Result<Vec<ArgumentSizes>> {
        let pattern = |place| self.rule.pattern.filter(|(at, _)| *at == place).map(|(_, dialect)| dialect);
        args.iter().enumerate().map(|(place, argument)| ArgumentSizes::read(argument, pattern(place))).collect()
    }

    /// # Errors
    /// `Exhausted` where one value would be too much alone.
    fn check_value(&self, cost: CallCost) -> Result<CallCost> {
        let name = self.name();
        if cost.bytes > VALUE_BYTES {
            let message = format!("one value of `{name}` could take more than {} MiB", VALUE_BYTES / MIB);
            return Err(exhausted(message, "make shorter values, or ask for a part of them"));
        }
        if cost.steps > VALUE_STEPS {
            let message =
                format!("one value of `{name}` could take more than {} million steps", VALUE_STEPS / 1_000_000);
            return Err(exhausted(message, "give it shorter texts, lists or patterns"));
        }
        Ok(cost)
    }

    /// # Errors
    /// `Exhausted` where the calls of one row are too much together.
    fn add_steps(&self, steps: u64) -> Result<()> {
        if evaluation::add_steps(steps).is_some_and(|all| all > ROW_STEPS) {
            let million = ROW_STEPS / 1_000_000;
            let message =
                format!("the calls of one row, `{}` among them, take more than {million} million steps", self.name());
            return Err(exhausted(message, "give them shorter texts or lists, or fewer elements to work on"));
        }
        Ok(())
    }

    /// Reserves what the call is about to make.
    ///
    /// # Errors
    /// `Exhausted` where the statement may not have it.
    fn reserve(&self, reservation: &MemoryReservation, bytes: u64) -> Result<()> {
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        if size <= reservation.size() {
            reservation.resize(size);
            return Ok(());
        }
        if reservation.try_grow(size - reservation.size()).is_ok() {
            return Ok(());
        }
        self.check_wanted()?;
        // Fewer rows may be right.
        evaluation::stop_where_long(1, 4, true)?;
        let needed = bytes.div_ceil(MIB);
        let message = format!("`{}` needs {needed} MiB for its values, more than the query may take", self.name());
        Err(exhausted(message, "make shorter values, or ask the operator to raise `limits.memory_mib`"))
    }

    /// All rows at once: they are known to cost little.
    fn call_whole(&self, args: ScalarFunctionArgs, cost: CallCost) -> Result<ColumnarValue> {
        self.add_steps(cost.steps)?;
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        if is_constant && !evaluation::is_under_way() {
            return self.call_for_plan(args, cost);
        }
        if cost.bytes <= UNCOUNTED_BYTES {
            return self.call(args);
        }
        let reservation = self.reservation();
        self.reserve(&reservation, cost.bytes)?;
        let made = self.call(args)?;
        if let ColumnarValue::Array(array) = &made {
            self.reserve(&reservation, array.get_array_memory_size() as u64)?;
        }
        evaluation::hold(reservation);
        Ok(made)
    }

    /// The planner writes what it answers into the plan, where it stays until the statement ends.
    fn call_for_plan(&self, args: ScalarFunctionArgs, cost: CallCost) -> Result<ColumnarValue> {
        let reservation = self.reservation();
        self.reserve(&reservation, cost.bytes)?;
        let made = self.call(args)?;
        let bytes = match &made {
            ColumnarValue::Scalar(value) => value.size(),
            ColumnarValue::Array(array) => array.get_array_memory_size(),
        };
        self.reserve(&reservation, (bytes as u64).saturating_mul(PLAN_COPIES))?;
        self.control.keep(reservation);
        Ok(made)
    }

    fn reservation(&self) -> MemoryReservation {
        MemoryConsumer::new(format!("{} of a statement", self.name())).register(self.control.memory_pool())
    }

    /// Slice by slice, each as large as the one before shows to be right.
    fn call_in_slices(&self, args: &ScalarFunctionArgs, sizes: &[ArgumentSizes], rows: usize) -> Result<ColumnarValue> {
        let reservation = self.reservation();
        let (mut pieces, mut made) = (Vec::<ArrayRef>::new(), 0_u64);
        let (mut done, mut most) = (0, self.pace.first_steps);
        let mut values = Vec::with_capacity(sizes.len());
        while done < rows {
            self.check_wanted()?;
            let (mut end, mut slice) = (done, CallCost::default());
            while end < rows {
                values.clear();
                values.extend(sizes.iter().map(|argument| argument.size(end)));
                let value = self.check_value(self.rule.cost(&values))?;
                let steps = slice.steps.saturating_add(value.steps);
                let bytes = slice.bytes.saturating_add(value.bytes);
                if end > done && (steps > most || bytes > PIECE_BYTES) {
                    break;
                }
                slice = CallCost { bytes, steps };
                end += 1;
            }
            self.add_steps(slice.steps)?;
            self.reserve(&reservation, made.saturating_add(slice.bytes))?;
            let begun = Instant::now();
            let piece = self.call(sliced(args, done, end - done))?.into_array(end - done)?;
            most = self.pace.adapted(slice.steps, begun.elapsed());
            made = made.saturating_add(piece.get_array_memory_size() as u64);
            if made > CALL_BYTES {
                let message = format!("`{}` makes more than {} MiB at a time", self.name(), CALL_BYTES / MIB);
                return Err(exhausted(message, "make shorter values"));
            }
            self.reserve(&reservation, made)?;
            pieces.push(piece);
            done = end;
            if done < rows {
                evaluation::stop_where_long(done, rows, made > PIECE_BYTES)?;
            }
        }
        let whole = if pieces.len() > 1 {
            // For a moment there are both.
            self.reserve(&reservation, made.saturating_mul(2))?;
            concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?
        } else {
            pieces.swap_remove(0)
        };
        drop(pieces);
        self.reserve(&reservation, whole.get_array_memory_size() as u64)?;
        evaluation::hold(reservation);
        Ok(ColumnarValue::Array(whole))
    }
}

fn sliced(args: &ScalarFunctionArgs, from: usize, rows: usize) -> ScalarFunctionArgs {
    let part = |argument: &ColumnarValue| match argument {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
    };
    ScalarFunctionArgs { args: args.args.iter().map(part).collect(), number_rows: rows, ..args.clone() }
}

fn exhausted(message: String, hint: &'static str) -> DataFusionError {
    DataFusionError::External(Box::new(Diagnostic::error(Kind::Exhausted, message).hint(hint)))
}

impl fmt::Debug for BoundedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BoundedCall").field(&self.callee).finish()
    }
}

impl PartialEq for BoundedCall {
    fn eq(&self, other: &Self) -> bool {
        self.callee == other.callee
    }
}

impl Eq for BoundedCall {}

impl Hash for BoundedCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.callee.hash(state);
    }
}

impl ScalarUDFImpl for BoundedCall {
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check_wanted()?;
        // Many cheap calls are long together.
        evaluation::stop_where_long(1, 2, false)?;
        let is_column = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Array(_));
        // Of constants, one value is made.
        let rows = if args.args.iter().any(is_column) { args.number_rows } else { 1 };
        if rows == 0 {
            return self.call(args);
        }
        let sizes = self.measure(&args.args)?;
        let largest: Vec<_> = sizes.iter().map(ArgumentSizes::largest).collect();
        if largest.iter().any(|size| size.states > PATTERN_STATES) {
            let message =
                format!("a regular expression of `{}` is too large once its repetitions are written out", self.name());
            return Err(exhausted(message, "use smaller repetitions, or fewer of them inside each other"));
        }
        let each = self.rule.cost(&largest);
        let all =
            CallCost { bytes: each.bytes.saturating_mul(rows as u64), steps: each.steps.saturating_mul(rows as u64) };
        if all.bytes <= PIECE_BYTES && all.steps <= self.pace.whole_steps {
            return self.call_whole(args, all);
        }
        if rows == 1 {
            self.check_value(each)?;
            return self.call_whole(args, each);
        }
        self.call_in_slices(&args, &sizes, rows)
    }

    fn name(&self) -> &str {
        match &self.callee {
            Callee::Function(function) => function.name(),
            Callee::Operator(operator, _) => operator.name(),
        }
    }

    fn aliases(&self) -> &[String] {
        self.function().map_or(&[], ScalarUDF::aliases)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match &self.callee {
            Callee::Function(function) => function.schema_name(args),
            Callee::Operator(operator, _) => Ok(operator.expr(args).schema_name().to_string()),
        }
    }

    fn signature(&self) -> &Signature {
        match &self.callee {
            Callee::Function(function) => function.signature(),
            Callee::Operator(_, signature) => signature,
        }
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match &self.callee {
            Callee::Function(function) => function.return_type(arg_types),
            Callee::Operator(operator, _) => {
                let field = |to: &DataType| Arc::new(arrow::datatypes::Field::new("argument", to.clone(), true));
                let fields: Vec<FieldRef> = arg_types.iter().map(field).collect();
                Ok(operator.field(&fields)?.data_type().clone())
            }
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match &self.callee {
            Callee::Function(function) => function.return_field_from_args(args),
            Callee::Operator(operator, _) => operator.field(args.arg_fields),
        }
    }

    #[expect(deprecated, reason = "what the callee says is passed on as long as the trait asks for it")]
    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        self.function().is_none_or(|function| function.inner().is_nullable(args, schema))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let updated = self.function()?.inner().with_updated_config(config)?;
        let (rule, control) = (self.rule, Arc::clone(&self.control));
        Some(ScalarUDF::from(Self { callee: Callee::Function(Arc::new(updated)), rule, control, pace: self.pace }))
    }

    fn is_strict(&self) -> bool {
        self.function().is_some_and(ScalarUDF::is_strict)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        // Of constants it is computed here, as bounded; what a function makes of them may not be.
        let is_constant = args.iter().all(|argument| matches!(argument, Expr::Literal(..)));
        match self.function().filter(|_| !is_constant) {
            Some(function) => function.simplify(args, info),
            None => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.function().map_or(Ok(PreimageResult::None), |function| function.preimage(args, literal, info))
    }

    fn short_circuits(&self) -> bool {
        self.function().is_some_and(ScalarUDF::short_circuits)
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.function().and_then(|function| function.conditional_arguments(args))
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        match self.function() {
            Some(function) => function.evaluate_bounds(input),
            None => Interval::make_unbounded(&DataType::Null),
        }
    }

    fn propagate_constraints(&self, interval: &Interval, inputs: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.function().map_or(Ok(Some(Vec::new())), |function| function.propagate_constraints(interval, inputs))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.function().map_or(Ok(SortProperties::Unordered), |function| function.output_ordering(inputs))
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.function().map_or(Ok(false), |function| function.preserves_lex_ordering(inputs))
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.function().map_or(Ok(false), |function| function.strictly_order_preserving(inputs))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.function().map_or_else(|| Ok(arg_types.to_vec()), |function| function.coerce_types(arg_types))
    }

    fn struct_field_mapping(&self, literals: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.function().and_then(|function| function.struct_field_mapping(literals))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function().and_then(ScalarUDF::documentation)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.function().map_or(ExpressionPlacement::KeepInPlace, |function| function.placement(args))
    }
}

/// True where the function is a bounded one.
pub(super) fn is_bounded(function: &ScalarUDF) -> bool {
    function.inner().is::<BoundedCall>()
}
