//! Texts that are read as moments.

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, LocalResult, NaiveTime, TimeZone as _, Utc};
use datafusion::common::{Result, exec_datafusion_err};

/// The moment of a text in the form of ISO 8601. Without a zone in it, it is a time in `zone`.
pub(super) fn iso(text: &str, zone: Tz) -> Result<DateTime<Utc>> {
    Ok(string_to_datetime(&zone, text)?.to_utc())
}

/// The moment of a text in the form of `format`, whose signs are those of `strftime`. A named zone stands at its end, as ` %Z`.
pub(super) fn formatted(text: &str, format: &str, zone: Tz) -> Result<DateTime<Utc>> {
    let wrong =
        |why: &str| exec_datafusion_err!("Error parsing timestamp from '{text}' using format '{format}': {why}");
    let (text, format, zone) = match format.trim_end().strip_suffix(" %Z") {
        Some(format) => {
            let (text, name) = text.trim_end().rsplit_once(' ').ok_or_else(|| wrong("no time zone at its end"))?;
            (text, format, name.parse::<Tz>().map_err(|_| wrong("there is no such time zone"))?)
        }
        None if format.contains("%Z") => return Err(wrong("'%Z' stands at the end, behind a blank")),
        None => (text, format, zone),
    };
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(format)).map_err(|error| wrong(&error.to_string()))?;
    if let Ok(at) = parsed.to_datetime() {
        return Ok(at.to_utc());
    }
    let local = parsed
        .to_naive_datetime_with_offset(0)
        .or_else(|_| parsed.to_naive_date().map(|day| day.and_time(NaiveTime::MIN)))
        .map_err(|error| wrong(&error.to_string()))?;
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => Ok(at.to_utc()),
        LocalResult::Ambiguous(..) => Err(wrong("clocks of its zone show this time twice")),
        LocalResult::None => Err(wrong("clocks of its zone never show this time")),
    }
}
