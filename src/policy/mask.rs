//! Masks, in the total order of exposure.

use std::fmt;
use std::str::FromStr;

/// How much of a value is shown. `Ord` is exposure: the smaller, the more revealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mask {
    Clear,
    /// The first characters; larger `n` reveals more and sorts first.
    First(Revealing),
    Last(Revealing),
    EmailDomain,
    Month,
    Year,
    /// Floor to a multiple of `k`; smaller `k` reveals more.
    Bucket(u64),
    Hash,
    Redact,
    Null,
    Hidden,
}

/// A count that sorts the other way round: showing more comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revealing(pub u32);

impl PartialOrd for Revealing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Revealing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear => f.write_str("clear"),
            Self::First(n) => write!(f, "first({})", n.0),
            Self::Last(n) => write!(f, "last({})", n.0),
            Self::EmailDomain => f.write_str("email_domain"),
            Self::Month => f.write_str("month"),
            Self::Year => f.write_str("year"),
            Self::Bucket(k) => write!(f, "bucket({k})"),
            Self::Hash => f.write_str("hash"),
            Self::Redact => f.write_str("redact"),
            Self::Null => f.write_str("null"),
            Self::Hidden => f.write_str("hidden"),
        }
    }
}

impl FromStr for Mask {
    type Err = String;

    /// Reads the text of a `@mask(…)` annotation; the error says what would be accepted.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "`{text}` is not a mask; use one of clear, first(n), last(n), email_domain, month, year, bucket(k), \
                 hash, redact, null, hidden"
            )
        };
        let counted = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?.parse::<u64>().ok();
        let length = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0).map(Revealing).ok_or_else(refuse);
        Ok(match text {
            "clear" => Self::Clear,
            "email_domain" => Self::EmailDomain,
            "month" => Self::Month,
            "year" => Self::Year,
            "hash" => Self::Hash,
            "redact" => Self::Redact,
            "null" => Self::Null,
            "hidden" => Self::Hidden,
            _ => {
                if let Some(n) = counted("first") {
                    Self::First(length(n)?)
                } else if let Some(n) = counted("last") {
                    Self::Last(length(n)?)
                } else if let Some(k) = counted("bucket").filter(|k| *k > 0 && i64::try_from(*k).is_ok()) {
                    Self::Bucket(k)
                } else {
                    return Err(refuse());
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_exposure() {
        let order = [
            "clear",
            "first(4)",
            "first(2)",
            "last(4)",
            "last(1)",
            "email_domain",
            "month",
            "year",
            "bucket(10)",
            "bucket(1000)",
            "hash",
            "redact",
            "null",
            "hidden",
        ];
        let masks: Vec<Mask> = order.iter().map(|text| text.parse().unwrap()).collect();
        assert!(masks.is_sorted_by(|a, b| a < b), "{masks:?}");
        assert_eq!(masks.iter().map(ToString::to_string).collect::<Vec<_>>(), order);
    }

    #[test]
    fn odd_masks_are_refused() {
        for text in
            ["", "Hash", "first", "first()", "first(0)", "first(-1)", "bucket(0)", "bucket(99999999999999999999)"]
        {
            assert!(text.parse::<Mask>().is_err(), "{text}");
        }
    }
}
