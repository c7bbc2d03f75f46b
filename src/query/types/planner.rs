//! Types as they are written.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as Written, TimezoneInfo};

use super::common::field;

/// The zone of `TIMESTAMP WITH TIME ZONE` where the session has set none.
const UTC: &str = "UTC";

/// Makes `TIMESTAMP` and `TIME` microseconds, as columns are. More digits are not kept: `TIMESTAMP(9)` is `TIMESTAMP(6)`.
#[derive(Debug)]
pub struct SqlTypes {
    zone: Arc<str>,
}

impl SqlTypes {
    /// `zone` is that of the session.
    pub fn new(zone: Option<&str>) -> Self {
        Self { zone: zone.unwrap_or(UTC).into() }
    }
}

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, written: &Written) -> Result<Option<FieldRef>> {
        let data_type = match written {
            Written::Timestamp(None | Some(6 | 9), zone) => {
                DataType::Timestamp(TimeUnit::Microsecond, self.zone_of(*zone))
            }
            Written::Timestamp(Some(3), zone) => DataType::Timestamp(TimeUnit::Millisecond, self.zone_of(*zone)),
            Written::Timestamp(Some(0), zone) => DataType::Timestamp(TimeUnit::Second, self.zone_of(*zone)),
            Written::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            _ => return Ok(None),
        };
        Ok(Some(field(data_type)))
    }
}

impl SqlTypes {
    fn zone_of(&self, written: TimezoneInfo) -> Option<Arc<str>> {
        matches!(written, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone).then(|| Arc::clone(&self.zone))
    }
}
