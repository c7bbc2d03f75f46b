//! `now()` and `current_time`.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use chrono::{DateTime, NaiveTime, TimeZone as _, Timelike as _, Utc};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

fn zone_of(config: &ConfigOptions) -> Option<Arc<str>> {
    config.execution.time_zone.as_deref().map(Arc::from)
}

fn literal(value: ScalarValue) -> ExprSimplifyResult {
    ExprSimplifyResult::Simplified(Expr::Literal(value, None))
}

/// The time at which the execution began, in the zone of the session.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Now {
    aliases: Vec<String>,
    signature: Signature,
    zone: Option<Arc<str>>,
}

impl Default for Now {
    fn default() -> Self {
        Self {
            aliases: vec!["current_timestamp".to_owned()],
            signature: Signature::nullary(Volatility::Stable),
            zone: None,
        }
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &'static str {
        "now"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        Some(Self { zone: zone_of(config), ..Self::default() }.into())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, self.zone.clone()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, false)))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(now) = info.query_execution_start_time() else { return Ok(ExprSimplifyResult::Original(args)) };
        Ok(literal(ScalarValue::TimestampMicrosecond(Some(now.timestamp_micros()), self.zone.clone())))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("`now()` is folded before a plan runs")
    }
}

/// The time of day at which the execution began, in the zone of the session.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CurrentTime {
    signature: Signature,
}

impl Default for CurrentTime {
    fn default() -> Self {
        Self { signature: Signature::nullary(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for CurrentTime {
    fn name(&self) -> &'static str {
        "current_time"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Time64(TimeUnit::Microsecond))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(now) = info.query_execution_start_time() else { return Ok(ExprSimplifyResult::Original(args)) };
        let zone = zone_of(info.config_options()).and_then(|zone| zone.parse::<Tz>().ok());
        Ok(literal(ScalarValue::Time64Microsecond(Some(time_of_day(now, zone)))))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("`current_time` is folded before a plan runs")
    }
}

fn time_of_day(now: DateTime<Utc>, zone: Option<Tz>) -> i64 {
    let time: NaiveTime = zone.map_or_else(|| now.time(), |zone| zone.from_utc_datetime(&now.naive_utc()).time());
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000)
}
