//! Which types of files keep which promise.
//!
//! A value may change its representation on the way, never its meaning: integers and floats widen, decimals gain digits, text is text
//! in any layout, a UUID and an enum are text. Liberties that common writers leave no choice about: nanoseconds are cut down to
//! microseconds (pandas and Spark write nanoseconds whatever they were given), a timestamp without a zone is read as UTC, and a
//! contract that says only `number` or `integer` is kept by wider numbers, of which one that has no place is lost.

use datafusion::arrow::datatypes::{DataType, Fields, TimeUnit};

/// How a type of a file becomes a promised one, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The engine's own readers do it, for all values.
    Stock,
    /// By [`convert`](super::convert), for all values.
    Converted,
    /// By it, and some values may have no meaning as promised.
    Lossy,
}

/// How `from` becomes `to`, which has the names of files; `None` where a value could change its meaning. `uuids` says that 16 bytes of
/// fixed size are UUIDs.
pub(super) fn fit(from: &DataType, to: &DataType, uuids: bool) -> Option<Fit> {
    use DataType as T;
    if from == to || *from == T::Null {
        return Some(Fit::Stock);
    }
    Some(match (from, to) {
        (T::Dictionary(_, values), to) => fit(values, to, uuids)?,
        (T::LargeUtf8 | T::Utf8View, T::Utf8) | (T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), T::Binary) => {
            Fit::Stock
        }
        (T::Binary | T::LargeBinary | T::BinaryView, T::Utf8) | (T::Date64, T::Date32) | (T::UInt64, T::Int64) => {
            Fit::Lossy
        }
        (T::FixedSizeBinary(16), T::Utf8) if uuids => Fit::Converted,
        (from, to) if from.is_integer() && to.is_integer() => integer_fits(from, to).then_some(Fit::Stock)?,
        (from, T::Float64) if from.is_integer() => {
            if integer_bits(from) <= 32 {
                Fit::Stock
            } else {
                Fit::Lossy
            }
        }
        (from, T::Float64) if from.is_decimal() => match decimal(from) {
            // What has so few digits is written alike as a float.
            Some((..=15, 0..)) => Fit::Stock,
            _ => Fit::Lossy,
        },
        (from, T::Float32) if from.is_integer() && integer_bits(from) <= 16 => Fit::Stock,
        (from, to) if from.is_decimal() && to.is_signed_integer() => {
            let most = match to {
                T::Int8 => 2,
                T::Int16 => 4,
                T::Int32 => 9,
                _ => 18,
            };
            matches!(decimal(from), Some((precision, 0)) if precision <= most).then_some(Fit::Stock)?
        }
        (from, T::Decimal128(precision, scale)) => {
            let (p, s) = decimal(from)?;
            (*scale >= s && digits(*precision, *scale) >= digits(p, s)).then_some(Fit::Stock)?
        }
        (T::Timestamp(_, from), T::Timestamp(TimeUnit::Microsecond, to)) => {
            (to.is_some() || from.as_deref().is_none_or(is_utc)).then_some(Fit::Stock)?
        }
        (T::Float16, T::Float32 | T::Float64)
        | (T::Float32, T::Float64)
        | (T::Time32(_) | T::Time64(_), T::Time64(TimeUnit::Microsecond)) => Fit::Stock,
        (T::List(a) | T::LargeList(a) | T::FixedSizeList(a, _), T::List(b)) => {
            fit(a.data_type(), b.data_type(), uuids)?
        }
        (T::ListView(a) | T::LargeListView(a), T::List(b)) => {
            fit(a.data_type(), b.data_type(), uuids)?.max(Fit::Converted)
        }
        (T::Map(entries, _), T::List(b)) => match (entries.data_type(), b.data_type()) {
            (T::Struct(a), T::Struct(b)) if a.len() == 2 && b.len() == 2 => {
                let each = a.iter().zip(b).map(|(a, b)| fit(a.data_type(), b.data_type(), uuids));
                each.chain([Some(Fit::Converted)]).collect::<Option<Vec<Fit>>>()?.into_iter().max()?
            }
            _ => return None,
        },
        (T::Struct(a), T::Struct(b)) => {
            let each = b.iter().map(|field| match a.find(field.name()) {
                Some((_, found)) => fit(found.data_type(), field.data_type(), uuids),
                None => Some(Fit::Converted),
            });
            each.collect::<Option<Vec<Fit>>>()?.into_iter().max()?
        }
        _ => return None,
    })
}

/// A field that elements of a list lack: its path in names of files, its promised type, and the fields that are there.
pub(super) struct Lacking {
    pub path: Vec<String>,
    pub promised: DataType,
    pub beside: Fields,
}

/// Notes the fields that elements of a list lack.
pub(super) fn note_lacking(path: &[String], from: &DataType, to: &DataType, lacking: &mut Vec<Lacking>) {
    use DataType as T;
    match (from, to) {
        (T::List(a) | T::LargeList(a) | T::FixedSizeList(a, _) | T::ListView(a) | T::LargeListView(a), T::List(b)) => {
            note_lacking(path, a.data_type(), b.data_type(), lacking);
        }
        (T::Struct(a), T::Struct(b)) => {
            for field in b {
                let path = [path, std::slice::from_ref(field.name())].concat();
                match a.find(field.name()) {
                    Some((_, found)) => note_lacking(&path, found.data_type(), field.data_type(), lacking),
                    None => lacking.push(Lacking { path, promised: field.data_type().clone(), beside: a.clone() }),
                }
            }
        }
        _ => {}
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "utc" | "Z" | "+00:00" | "Etc/UTC")
}

fn integer_bits(t: &DataType) -> u8 {
    match t {
        DataType::Int8 | DataType::UInt8 => 8,
        DataType::Int16 | DataType::UInt16 => 16,
        DataType::Int32 | DataType::UInt32 => 32,
        _ => 64,
    }
}

fn integer_fits(from: &DataType, to: &DataType) -> bool {
    match (from.is_signed_integer(), to.is_signed_integer()) {
        (true, false) => false,
        (false, true) => integer_bits(from) < integer_bits(to),
        _ => integer_bits(from) <= integer_bits(to),
    }
}

/// Precision and scale that hold every value of the type.
fn decimal(t: &DataType) -> Option<(u8, i8)> {
    match t {
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => Some((*p, *s)),
        DataType::Int8 | DataType::UInt8 => Some((3, 0)),
        DataType::Int16 | DataType::UInt16 => Some((5, 0)),
        DataType::Int32 | DataType::UInt32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        DataType::UInt64 => Some((20, 0)),
        _ => None,
    }
}

fn digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

/// How people call a type.
pub(super) fn type_name(t: &DataType) -> String {
    use DataType as T;
    match t {
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "text".to_owned(),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "bytes".to_owned(),
        T::Boolean => "true or false".to_owned(),
        t if t.is_signed_integer() => format!("a {}-bit integer", integer_bits(t)),
        t if t.is_unsigned_integer() => format!("an unsigned {}-bit integer", integer_bits(t)),
        T::Float16 => "a 16-bit float".to_owned(),
        T::Float32 => "a 32-bit float".to_owned(),
        T::Float64 => "a 64-bit float".to_owned(),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
            format!("decimal({p},{s})")
        }
        T::Date32 | T::Date64 => "a date".to_owned(),
        T::Time32(_) | T::Time64(_) => "a time of day".to_owned(),
        T::Timestamp(_, None) => "a timestamp without time zone".to_owned(),
        T::Timestamp(_, Some(zone)) => format!("a timestamp in time zone {zone}"),
        T::List(f) | T::LargeList(f) | T::FixedSizeList(f, _) | T::ListView(f) | T::LargeListView(f) => {
            format!("a list of ({})", type_name(f.data_type()))
        }
        T::Struct(fields) => {
            let fields: Vec<_> = fields.iter().map(|f| format!("{}: {}", f.name(), type_name(f.data_type()))).collect();
            format!("a struct of ({})", fields.join(", "))
        }
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(pair) => {
                let [key, value] = [0, 1].map(|at| pair.get(at).map_or_else(String::new, |f| type_name(f.data_type())));
                format!("a map of ({key}) to ({value})")
            }
            other => type_name(other),
        },
        T::Dictionary(_, values) => type_name(values),
        T::Null => "always NULL".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
