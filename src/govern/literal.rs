//! Cedar's types and literals in a column's own type, so that a comparison stays `column op literal` and can prune.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

use crate::policy::{Comparison, Literal};

/// Cedar's type of a column or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Bool,
    Long,
    String,
    Decimal,
    Datetime,
    Set,
}

impl Kind {
    /// `None` for what policies may not ask about (floats, binary, maps) and for structs.
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Utf8 => Self::String,
            data_type if data_type.is_integer() => Self::Long,
            DataType::Decimal128(..) => Self::Decimal,
            DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Datetime,
            DataType::List(item) if *item.data_type() == DataType::Utf8 => Self::Set,
            _ => return None,
        })
    }

    pub fn of_literal(literal: &Literal) -> Self {
        match literal {
            Literal::Bool(_) => Self::Bool,
            Literal::Long(_) => Self::Long,
            Literal::String(_) => Self::String,
            Literal::Decimal(_) => Self::Decimal,
            Literal::Datetime(_) => Self::Datetime,
        }
    }

    /// The type in which any two values of the kind compare. Microseconds are kept in a decimal: a 32-bit date can lie beyond 64 bits of them.
    pub fn canonical(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Long | Self::Decimal => DataType::Int64,
            Self::String => DataType::Utf8,
            Self::Datetime => DataType::Decimal128(38, 0),
            Self::Set => DataType::new_list(DataType::Utf8, true),
        }
    }

    /// True where values of this column type may lie outside Cedar's range.
    pub fn may_not_fit(data_type: &DataType) -> bool {
        match data_type {
            DataType::UInt64 | DataType::List(_) => true,
            DataType::Decimal128(precision, scale) => *scale > 4 || i32::from(*precision) - i32::from(*scale) > 14,
            _ => false,
        }
    }
}

/// The literal in the kind's canonical type.
pub(super) fn canonical(literal: &Literal) -> ScalarValue {
    match literal {
        Literal::Bool(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Long(value) | Literal::Decimal(value) => ScalarValue::Int64(Some(*value)),
        Literal::String(value) => ScalarValue::Utf8(Some(value.clone())),
        Literal::Datetime(millis) => ScalarValue::Decimal128(Some(i128::from(*millis) * 1_000), 38, 0),
    }
}

/// A literal of the column's own type: the greatest that is not above the asked one.
pub(super) struct Floor {
    pub value: ScalarValue,
    /// It is the asked value itself.
    pub exact: bool,
}

impl Floor {
    /// `None` where the type cannot express it.
    pub fn of(literal: &Literal, data_type: &DataType) -> Option<Self> {
        let exact = |value| Some(Self { value, exact: true });
        match (literal, data_type) {
            (Literal::Bool(value), DataType::Boolean) => exact(ScalarValue::Boolean(Some(*value))),
            (Literal::String(value), DataType::Utf8) => exact(ScalarValue::Utf8(Some(value.clone()))),
            (Literal::Long(value), data_type) => exact(integer(*value, data_type)?),
            (Literal::Decimal(value), DataType::Decimal128(precision, scale)) => {
                let exponent = i32::from(*scale) - 4;
                let tens = 10_i128.checked_pow(exponent.unsigned_abs())?;
                let value = i128::from(*value);
                let (floor, exact) = if exponent >= 0 {
                    (value.checked_mul(tens)?, true)
                } else {
                    (value.div_euclid(tens), value.rem_euclid(tens) == 0)
                };
                let limit = 10_i128.checked_pow(u32::from(*precision))?;
                (-limit < floor && floor < limit)
                    .then(|| Self { value: ScalarValue::Decimal128(Some(floor), *precision, *scale), exact })
            }
            (Literal::Datetime(millis), DataType::Date32) => {
                let day = i32::try_from(millis.div_euclid(86_400_000)).ok()?;
                Some(Self { value: ScalarValue::Date32(Some(day)), exact: millis.rem_euclid(86_400_000) == 0 })
            }
            (Literal::Datetime(millis), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
                exact(ScalarValue::TimestampMicrosecond(Some(millis.checked_mul(1_000)?), zone.clone()))
            }
            _ => None,
        }
    }

    /// The comparison to make with the floor in place of the asked value; `None` where that cannot be said.
    pub fn comparison(&self, asked: Comparison) -> Option<Comparison> {
        if self.exact {
            return Some(asked);
        }
        match asked {
            Comparison::Equal | Comparison::NotEqual => None,
            Comparison::Less | Comparison::LessOrEqual => Some(Comparison::LessOrEqual),
            Comparison::Greater | Comparison::GreaterOrEqual => Some(Comparison::Greater),
        }
    }
}

fn integer(value: i64, data_type: &DataType) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Int8 => ScalarValue::Int8(Some(value.try_into().ok()?)),
        DataType::Int16 => ScalarValue::Int16(Some(value.try_into().ok()?)),
        DataType::Int32 => ScalarValue::Int32(Some(value.try_into().ok()?)),
        DataType::Int64 => ScalarValue::Int64(Some(value)),
        DataType::UInt8 => ScalarValue::UInt8(Some(value.try_into().ok()?)),
        DataType::UInt16 => ScalarValue::UInt16(Some(value.try_into().ok()?)),
        DataType::UInt32 => ScalarValue::UInt32(Some(value.try_into().ok()?)),
        DataType::UInt64 => ScalarValue::UInt64(Some(value.try_into().ok()?)),
        _ => return None,
    })
}

/// The least text that is above every text with this prefix; `None` where there is none.
pub(super) fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{D7FF}' => Some('\u{E000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        chars.push(next?);
        return Some(chars.into_iter().collect());
    }
    None
}
