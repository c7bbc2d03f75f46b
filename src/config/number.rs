//! Whole numbers in the operator's words.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// A limit: zero would refuse everything, or mean none to one reader and all to another.
pub(super) fn at_least_one<'de, D: Deserializer<'de>, N: TryFrom<u64>>(deserializer: D) -> Result<N, D::Error> {
    whole(deserializer, 1)
}

/// A number of things that each take memory and threads from the start.
pub(super) fn at_most_a_thousand<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = whole(deserializer, 1)?;
    if number > 1_000 {
        return Err(Error::invalid_value(Unexpected::Unsigned(number as u64), &"a whole number from 1 to 1,000"));
    }
    Ok(number)
}

/// A limit that has a default of its own where it is not set.
pub(super) fn at_least_one_if_given<'de, D: Deserializer<'de>, N: TryFrom<u64>>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    whole(deserializer, 1).map(Some)
}

/// A length of time that may be zero.
pub(super) fn at_least_zero<'de, D: Deserializer<'de>, N: TryFrom<u64>>(deserializer: D) -> Result<N, D::Error> {
    whole(deserializer, 0)
}

fn whole<'de, D: Deserializer<'de>, N: TryFrom<u64>>(deserializer: D, least: u64) -> Result<N, D::Error> {
    let number = deserializer.deserialize_u64(Whole { least })?;
    N::try_from(number).map_err(|_| Error::invalid_value(Unexpected::Unsigned(number), &"a smaller number"))
}

struct Whole {
    least: u64,
}

impl Visitor<'_> for Whole {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {}", self.least)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if number < self.least {
            return Err(E::invalid_value(Unexpected::Unsigned(number), &self));
        }
        Ok(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}
