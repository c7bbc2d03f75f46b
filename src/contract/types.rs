//! ODCS types → Arrow types.
//!
//! The logical type decides the family, the physical type and the format sharpen it:
//! `number` with `DECIMAL(12,2)` is a decimal, `integer` with `int` has 32 bits.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, TimeUnit};

use crate::diagnostic::did_you_mean;

/// What the standard calls the type of a scalar column.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declared<'a> {
    pub logical: Option<&'a str>,
    pub physical: Option<&'a str>,
    /// `logicalTypeOptions.format`.
    pub format: Option<&'a str>,
    /// `logicalTypeOptions.timezone`.
    pub timezone: Option<bool>,
}

/// Logical types that this gateway serves.
const LOGICAL_TYPES: &[&str] =
    &["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"];

/// Which of the declarations is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Logical,
    Physical,
    Format,
}

/// A type that cannot be served: what is at fault, one sentence, one hint.
pub type Refusal = (Fault, String, String);

/// The logical type of a column that names only a physical one.
fn infer_logical(physical: &str) -> Option<&'static str> {
    let (base, _) = parse(physical);
    Some(match base.as_str() {
        "varchar" | "char" | "character" | "character varying" | "nvarchar" | "nchar" | "text" | "string" | "uuid"
        | "json" | "jsonb" | "utf8" | "bytea" | "binary" | "varbinary" | "blob" => "string",
        "date" | "date32" => "date",
        base if base.starts_with("timestamp") || base.starts_with("datetime") => "timestamp",
        "time" | "time without time zone" => "time",
        "boolean" | "bool" | "bit" => "boolean",
        base if integer(base).is_some() => "integer",
        base if float(base).is_some() || is_decimal(base) => "number",
        _ => return None,
    })
}

/// The Arrow type of a scalar; `object` and `array` are built by the caller from their parts.
pub fn scalar(declared: Declared<'_>) -> Result<DataType, Refusal> {
    let (base, arguments) = declared.physical.map(parse).unwrap_or_default();
    let base = base.as_str();
    let Some(logical) = declared.logical.or_else(|| infer_logical(base)) else {
        let hint = format!("add `logicalType:`, one of {}", LOGICAL_TYPES.join(", "));
        return Err((Fault::Logical, "its type is not known".to_owned(), hint));
    };
    match logical {
        "string" => Ok(match base {
            "bytea" | "binary" | "varbinary" | "blob" => DataType::Binary,
            _ => DataType::Utf8,
        }),
        "boolean" => Ok(DataType::Boolean),
        "date" => Ok(DataType::Date32),
        "time" => Ok(DataType::Time64(TimeUnit::Microsecond)),
        "timestamp" => {
            let zoned = declared.timezone.unwrap_or(matches!(
                base,
                "timestamptz" | "timestamp_tz" | "timestamp_ltz" | "timestamp with time zone" | "datetimeoffset"
            ));
            Ok(DataType::Timestamp(TimeUnit::Microsecond, zoned.then(|| "UTC".into())))
        }
        "integer" => number_format(declared.format, &["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"])?
            .map_or_else(|| whole(base, arguments.as_deref(), declared.physical), Ok),
        "number" => {
            if let Some(format) = number_format(declared.format, &["f32", "f64"])? {
                return Ok(format);
            }
            if is_decimal(base) {
                return decimal(arguments.as_deref(), declared.physical.unwrap_or_default());
            }
            Ok(float(base).or_else(|| integer(base)).unwrap_or(DataType::Float64))
        }
        other => {
            let hint = did_you_mean(other, LOGICAL_TYPES.iter().copied())
                .unwrap_or_else(|| format!("supported: {}", LOGICAL_TYPES.join(", ")));
            Err((Fault::Logical, format!("unsupported logical type `{}`", super::shape::quote(other)), hint))
        }
    }
}

fn number_format(format: Option<&str>, known: &[&str]) -> Result<Option<DataType>, Refusal> {
    let Some(format) = format else { return Ok(None) };
    let found = match format {
        "i8" => DataType::Int8,
        "i16" => DataType::Int16,
        "i32" => DataType::Int32,
        "i64" => DataType::Int64,
        "u8" => DataType::UInt8,
        "u16" => DataType::UInt16,
        "u32" => DataType::UInt32,
        "u64" => DataType::UInt64,
        "f32" => DataType::Float32,
        "f64" => DataType::Float64,
        _ => DataType::Null,
    };
    if known.contains(&format) {
        return Ok(Some(found));
    }
    let message = format!("unsupported number format `{}`", super::shape::quote(format));
    Err((Fault::Format, message, format!("supported: {}", known.join(", "))))
}

fn whole(base: &str, arguments: Option<&str>, physical: Option<&str>) -> Result<DataType, Refusal> {
    if let Some(found) = integer(base) {
        return Ok(found);
    }
    if is_decimal(base) && arguments.is_some() {
        let found = decimal(arguments, physical.unwrap_or_default())?;
        return match found {
            DataType::Decimal128(precision, 0) if precision <= 18 => Ok(DataType::Int64),
            DataType::Decimal128(_, 0) => Ok(found),
            _ => Err((
                Fault::Physical,
                format!(
                    "`{}` has decimals, but the logical type is `integer`",
                    super::shape::quote(physical.unwrap_or_default())
                ),
                "write `logicalType: number`, or a scale of 0".to_owned(),
            )),
        };
    }
    Ok(DataType::Int64)
}

fn is_decimal(base: &str) -> bool {
    matches!(base, "decimal" | "numeric" | "number" | "dec")
}

fn decimal(arguments: Option<&str>, physical: &str) -> Result<DataType, Refusal> {
    let refuse = |why: &str| {
        let message = format!("`{}` {why}", super::shape::quote(physical));
        Err((Fault::Physical, message, "write precision and scale, for example `DECIMAL(12,2)`".to_owned()))
    };
    let Some(arguments) = arguments else { return refuse("does not say its precision and scale") };
    let mut parts = arguments.split(',').map(str::trim);
    let precision = parts.next().and_then(|p| p.parse::<u8>().ok());
    let scale = parts.next().map_or(Some(0), |s| s.parse::<i8>().ok());
    let (Some(precision), Some(scale), None) = (precision, scale, parts.next()) else {
        return refuse("is not a decimal type");
    };
    if precision == 0 || precision > DECIMAL128_MAX_PRECISION {
        return refuse("must have a precision from 1 to 38");
    }
    if scale < 0 || scale.unsigned_abs() > precision {
        return refuse("must have a scale from 0 to its precision");
    }
    Ok(DataType::Decimal128(precision, scale))
}

fn integer(base: &str) -> Option<DataType> {
    Some(match base {
        "tinyint" => DataType::Int8,
        "smallint" | "int2" | "int16" | "short" | "smallserial" => DataType::Int16,
        "int" | "integer" | "int4" | "int32" | "serial" | "mediumint" => DataType::Int32,
        // `int8` has eight bytes in PostgreSQL; wider is never wrong.
        "bigint" | "int8" | "int64" | "long" | "bigserial" => DataType::Int64,
        "utinyint" | "uint8" => DataType::UInt8,
        "usmallint" | "uint16" => DataType::UInt16,
        "uinteger" | "uint32" => DataType::UInt32,
        "ubigint" | "uint64" => DataType::UInt64,
        _ => return None,
    })
}

fn float(base: &str) -> Option<DataType> {
    Some(match base {
        "float" | "float64" | "float8" | "double" | "double precision" => DataType::Float64,
        "real" | "float4" | "float32" => DataType::Float32,
        _ => return None,
    })
}

/// `DECIMAL(12, 2)` → (`decimal`, `12, 2`).
fn parse(physical: &str) -> (String, Option<String>) {
    let lowered = physical.trim().to_ascii_lowercase();
    let Some((base, rest)) = lowered.split_once('(') else { return (lowered, None) };
    let Some((arguments, tail)) = rest.split_once(')') else { return (lowered, None) };
    let words: Vec<&str> = base.split_whitespace().chain(tail.split_whitespace()).collect();
    (words.join(" "), Some(arguments.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(logical: &str, physical: &str, expect: &str) {
        let some = |text: &'static str| (!text.is_empty()).then_some(text);
        let (logical, physical): (&'static str, &'static str) =
            (Box::leak(logical.to_owned().into()), Box::leak(physical.to_owned().into()));
        let found = scalar(Declared { logical: some(logical), physical: some(physical), ..Declared::default() });
        let found = match found {
            Ok(found) => format!("{found:?}"),
            Err((fault, message, _)) => format!("{fault:?}: {message}"),
        };
        assert_eq!(found, expect, "{logical} {physical}");
    }

    #[test]
    fn logical_and_physical_types_give_arrow_types() {
        check("string", "", "Utf8");
        check("string", "VARCHAR(18)", "Utf8");
        check("string", "bytea", "Binary");
        check("date", "", "Date32");
        check("timestamp", "", "Timestamp(Microsecond, None)");
        check("timestamp", "TIMESTAMP(6) WITH TIME ZONE", "Timestamp(Microsecond, Some(\"UTC\"))");
        check("time", "", "Time64(Microsecond)");
        check("boolean", "", "Boolean");
        check("number", "", "Float64");
        check("number", "double", "Float64");
        check("number", "real", "Float32");
        check("number", "DECIMAL(12, 2)", "Decimal128(12, 2)");
        check("number", "NUMERIC(38,0)", "Decimal128(38, 0)");
        check("number", "NUMERIC", "Physical: `NUMERIC` does not say its precision and scale");
        check("number", "DECIMAL(39,2)", "Physical: `DECIMAL(39,2)` must have a precision from 1 to 38");
        check("number", "DECIMAL(4,9)", "Physical: `DECIMAL(4,9)` must have a scale from 0 to its precision");
        check("integer", "", "Int64");
        check("integer", "int", "Int32");
        check("integer", "SMALLINT", "Int16");
        check("integer", "DECIMAL(10,0)", "Int64");
        check("integer", "DECIMAL(10,2)", "Physical: `DECIMAL(10,2)` has decimals, but the logical type is `integer`");
        check("", "bigint", "Int64");
        check("", "decimal(9,3)", "Decimal128(9, 3)");
        check("", "geography", "Logical: its type is not known");
        check("vector", "", "Logical: unsupported logical type `vector`");
    }

    #[test]
    fn formats_are_closed() {
        let of = |format| scalar(Declared { logical: Some("integer"), format: Some(format), ..Declared::default() });
        assert_eq!(of("u16").unwrap(), DataType::UInt16);
        assert_eq!(of("i128").unwrap_err().0, Fault::Format);
        let zoned = Declared { logical: Some("timestamp"), timezone: Some(true), ..Declared::default() };
        assert_eq!(scalar(zoned).unwrap(), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    }
}
