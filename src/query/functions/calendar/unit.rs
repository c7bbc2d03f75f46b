//! Units of time.

use arrow::datatypes::TimeUnit;
use datafusion::common::{Result, plan_datafusion_err};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// How long a unit is: of months the calendar tells, and of days the time zone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Nanos(i64),
    Days(i32),
    Months(i32),
}

const NAMES: [(&str, Unit); 11] = [
    ("nanosecond", Unit::Nanosecond),
    ("microsecond", Unit::Microsecond),
    ("millisecond", Unit::Millisecond),
    ("second", Unit::Second),
    ("minute", Unit::Minute),
    ("hour", Unit::Hour),
    ("day", Unit::Day),
    ("week", Unit::Week),
    ("month", Unit::Month),
    ("quarter", Unit::Quarter),
    ("year", Unit::Year),
];

impl Unit {
    /// Singular or plural, in any case.
    pub fn parse(function: &str, text: &str) -> Result<Self> {
        let folded = text.trim().to_lowercase();
        let singular = folded.strip_suffix('s').unwrap_or(&folded);
        let known = NAMES.iter().find(|(name, _)| *name == singular).map(|(_, unit)| *unit);
        known.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            plan_datafusion_err!("`{function}` has no such unit; it takes {}", names.join(", "))
        })
    }

    pub fn length(self) -> Length {
        match self {
            Self::Nanosecond => Length::Nanos(1),
            Self::Microsecond => Length::Nanos(1_000),
            Self::Millisecond => Length::Nanos(1_000_000),
            Self::Second => Length::Nanos(1_000_000_000),
            Self::Minute => Length::Nanos(60_000_000_000),
            Self::Hour => Length::Nanos(3_600_000_000_000),
            Self::Day => Length::Days(1),
            Self::Week => Length::Days(7),
            Self::Month => Length::Months(1),
            Self::Quarter => Length::Months(3),
            Self::Year => Length::Months(12),
        }
    }

    /// The coarsest times that can hold a step of it.
    pub fn holds(self) -> TimeUnit {
        match self {
            Self::Nanosecond => TimeUnit::Nanosecond,
            Self::Microsecond => TimeUnit::Microsecond,
            Self::Millisecond => TimeUnit::Millisecond,
            _ => TimeUnit::Second,
        }
    }
}
