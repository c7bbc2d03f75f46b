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
    /// Version 3.0 of the standard, in which `date` is the type of every point in time.
    pub dates_are_moments: bool,
}

/// Logical types that this gateway serves.
const LOGICAL_TYPES: &[&str] =
    &["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"];

/// Logical types of the standard that it does not.
const OTHER_LOGICAL_TYPES: [&str; 2] = ["map", "vector"];

/// Which of the declarations is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Logical,
    Physical,
    Format,
}

/// A type that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub fault: Fault,
    /// One sentence.
    pub message: String,
    pub hint: String,
    /// The standard allows it: the column is left out, and the product is served without it.
    pub is_valid: bool,
}

impl Refusal {
    fn invalid(fault: Fault, message: String, hint: impl Into<String>) -> Self {
        Self { fault, message, hint: hint.into(), is_valid: false }
    }

    fn unserved(fault: Fault, message: String, hint: impl Into<String>) -> Self {
        Self { is_valid: true, ..Self::invalid(fault, message, hint) }
    }
}

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
        return Err(Refusal::unserved(Fault::Logical, "its type is not known".to_owned(), hint));
    };
    let logical = if logical == "date" && declared.dates_are_moments { moment(base, declared.format) } else { logical };
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
            let message = format!("unsupported logical type `{}`", super::shape::quote(other));
            Err(if OTHER_LOGICAL_TYPES.contains(&other) {
                Refusal::unserved(Fault::Logical, message, hint)
            } else {
                Refusal::invalid(Fault::Logical, message, hint)
            })
        }
    }
}

/// The type of a `date` of version 3.0, which has no other type for times: by its physical type, else by the letters of its format.
fn moment(base: &str, format: Option<&str>) -> &'static str {
    if let Some(known @ ("date" | "timestamp" | "time")) = infer_logical(base) {
        return known;
    }
    let mut quoted = false;
    let letters = format.unwrap_or_default().chars().filter(|c| {
        quoted ^= *c == '\'';
        !quoted
    });
    let letters: Vec<char> = letters.collect();
    let has = |wanted: &[char]| letters.iter().any(|letter| wanted.contains(letter));
    match (has(&['y', 'u', 'Y', 'M', 'L', 'd', 'D']), has(&['H', 'h', 'K', 'k', 'm', 's', 'S', 'A', 'n', 'N'])) {
        (true, true) => "timestamp",
        (false, true) => "time",
        _ => "date",
    }
}

/// The type of the elements of a list that says only a physical type: `INT[]`, `ARRAY<INT>`.
pub fn element_of(physical: &str) -> Option<&str> {
    let text = physical.trim();
    if let Some((element, dimension)) = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        let is_dimension = dimension.chars().all(|c| c.is_ascii_digit() || c.is_ascii_whitespace());
        return Some(element.trim()).filter(|element| is_dimension && !element.is_empty());
    }
    let (outer, element) = text.strip_suffix('>')?.split_once('<')?;
    let is_list = ["array", "list"].iter().any(|word| outer.trim().eq_ignore_ascii_case(word));
    Some(element.trim()).filter(|element| is_list && !element.is_empty())
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
    let hint = format!("supported: {}", known.join(", "));
    let wide = matches!(format, "i128" | "u128") && known.contains(&"i64");
    Err(if wide {
        Refusal::unserved(Fault::Format, message, hint)
    } else {
        Refusal::invalid(Fault::Format, message, hint)
    })
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
            _ => Err(Refusal::invalid(
                Fault::Physical,
                format!(
                    "`{}` has decimals, but the logical type is `integer`",
                    super::shape::quote(physical.unwrap_or_default())
                ),
                "write `logicalType: number`, or a scale of 0",
            )),
        };
    }
    Ok(DataType::Int64)
}

fn is_decimal(base: &str) -> bool {
    matches!(base, "decimal" | "numeric" | "number" | "dec")
}

fn decimal(arguments: Option<&str>, physical: &str) -> Result<DataType, Refusal> {
    const HINT: &str = "write precision and scale, for example `DECIMAL(12,2)`";
    let message = |why: &str| format!("`{}` {why}", super::shape::quote(physical));
    let refuse = |why: &str| Err(Refusal::invalid(Fault::Physical, message(why), HINT));
    let unserved = |why: &str| Err(Refusal::unserved(Fault::Physical, message(why), HINT));
    let Some(arguments) = arguments else { return unserved("does not say its precision and scale") };
    let mut parts = arguments.split(',').map(str::trim);
    let precision = parts.next().and_then(|p| p.parse::<u8>().ok());
    let scale = parts.next().map_or(Some(0), |s| s.parse::<i8>().ok());
    let (Some(precision), Some(scale), None) = (precision, scale, parts.next()) else {
        return refuse("is not a decimal type");
    };
    if scale < 0 || scale.unsigned_abs() > precision {
        return refuse("must have a scale from 0 to its precision");
    }
    match precision {
        0 => return refuse("must have a precision from 1 to 38"),
        1..=DECIMAL128_MAX_PRECISION => {}
        _ => return unserved("must have a precision from 1 to 38"),
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
            Err(refusal) => format!("{:?}: {}", refusal.fault, refusal.message),
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
        assert!(of("i128").unwrap_err().is_valid, "the standard has it");
        assert!(!of("i46").unwrap_err().is_valid);
        let zoned = Declared { logical: Some("timestamp"), timezone: Some(true), ..Declared::default() };
        assert_eq!(scalar(zoned).unwrap(), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    }

    #[test]
    fn dates_of_version_3_0_may_be_moments() {
        let of = |physical, format, dates_are_moments| {
            let declared =
                Declared { logical: Some("date"), physical, format, dates_are_moments, ..Declared::default() };
            scalar(declared).unwrap()
        };
        let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(of(Some("timestamp"), None, true), moment);
        assert_eq!(of(Some("DATETIME2(7)"), None, true), moment);
        assert_eq!(of(Some("TIMESTAMPTZ"), None, true), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        assert_eq!(of(Some("time"), None, true), DataType::Time64(TimeUnit::Microsecond));
        assert_eq!(of(None, Some("yyyy-MM-dd HH:mm:ss"), true), moment);
        assert_eq!(of(None, Some("HH:mm:ss"), true), DataType::Time64(TimeUnit::Microsecond));
        assert_eq!(of(None, Some("yyyy-MM-dd"), true), DataType::Date32);
        assert_eq!(of(None, Some("dd.MM.yyyy 'Uhr, hms'"), true), DataType::Date32);
        assert_eq!(of(Some("date"), Some("yyyy-MM-dd HH:mm:ss"), true), DataType::Date32);
        assert_eq!(of(Some("varchar(10)"), None, true), DataType::Date32);
        assert_eq!(
            of(Some("timestamp"), Some("yyyy-MM-dd HH:mm:ss"), false),
            DataType::Date32,
            "since 3.1 a date is one"
        );
    }

    #[test]
    fn physical_types_of_lists_say_their_elements() {
        for (physical, element) in [
            ("INT[]", "INT"),
            ("text[3]", "text"),
            ("INT[][]", "INT[]"),
            ("array<DECIMAL(5,2)>", "DECIMAL(5,2)"),
            ("List < int >", "int"),
        ] {
            assert_eq!(element_of(physical), Some(element), "{physical}");
        }
        for physical in ["INT", "[]", "map<int,int>", "array<>", "int[a]"] {
            assert_eq!(element_of(physical), None, "{physical}");
        }
    }
}
