//! What partial evaluation leaves: a typed condition over the columns of one row.
//!
//! It is the whole language between Cedar and the columnar engine. `policy::residual` builds it from Cedar's
//! residuals, `govern::filter` compiles it; a residual that does not fit here denies the dataset.

use std::collections::BTreeSet;

use crate::name::ColumnPath;

/// A boolean over one row, in Cedar's semantics for a row whose values fit their declared types.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    Const(bool),
    Not(Box<Condition>),
    /// True when all are; the empty conjunction is true.
    And(Vec<Condition>),
    /// True when any is; the empty disjunction is false.
    Or(Vec<Condition>),
    If(Box<Condition>, Box<Condition>, Box<Condition>),
    /// `resource has path`: the value is there (not NULL).
    Has(ColumnPath),
    /// A boolean column.
    Column(ColumnPath),
    Compare(Comparison, Box<Term>, Box<Term>),
    /// The term is one of the literals (`set.contains(term)`), all of the term's own type.
    OneOf(Box<Term>, BTreeSet<Literal>),
    /// Text against a pattern.
    Like(Box<Term>, Vec<PatternPart>),
    /// A set-valued column holds the literal (`resource.tags.contains("x")`).
    Contains(ColumnPath, Literal),
    /// A set-valued column holds all of the literals.
    ContainsAll(ColumnPath, BTreeSet<Literal>),
    /// A set-valued column holds at least one of the literals.
    ContainsAny(ColumnPath, BTreeSet<Literal>),
    /// A set-valued column is empty.
    IsEmpty(ColumnPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same with its sides exchanged: `1 < x` is `x > 1`.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

/// A value: a column, a literal, or Cedar's checked 64-bit arithmetic over them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Term {
    Column(ColumnPath),
    Literal(Literal),
    Add(Box<Term>, Box<Term>),
    Subtract(Box<Term>, Box<Term>),
    Multiply(Box<Term>, Box<Term>),
    Negate(Box<Term>),
}

/// A value that policy brought along.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    Bool(bool),
    Long(i64),
    String(String),
    /// Cedar's `decimal`: ten-thousandths.
    Decimal(i64),
    /// Cedar's `datetime`: milliseconds since the Unix epoch, UTC.
    Datetime(i64),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PatternPart {
    Text(String),
    /// `*`: any run of characters, also none.
    Wildcard,
}
