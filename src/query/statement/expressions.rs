//! The expressions of a query, each honoured or refused, as [`super::clauses`] does it with clauses.
//!
//! Calls of functions are in `query::functions`.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Array, ArrayElemTypeDef, BinaryOperator, CaseWhen, CeilFloorKind, CharacterLength, DataType,
    DateTimeField, DictionaryField, Expr, Interval, LambdaFunction, LambdaFunctionParameter, Map, MapEntry,
    StructField, Subscript, TypedString, UnaryOperator,
};

use super::syntax::decline;
use crate::diagnostic::Result;

/// The parts of `expr` that are expressions or queries are visited on their own.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of expression")]
pub(super) fn check(expr: &Expr) -> Result<()> {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::IsDistinctFrom(_, _)
        | Expr::IsNotDistinctFrom(_, _)
        | Expr::InList { expr: _, list: _, negated: _ }
        | Expr::InSubquery { expr: _, subquery: _, negated: _ }
        | Expr::Between { expr: _, negated: _, low: _, high: _ }
        | Expr::AnyOp { left: _, compare_op: _, right: _, is_some: _ }
        | Expr::AllOp { left: _, compare_op: _, right: _ }
        | Expr::AtTimeZone { timestamp: _, time_zone: _ }
        | Expr::Extract { field: _, syntax: _, expr: _ }
        | Expr::Position { expr: _, r#in: _ }
        | Expr::Substring { expr: _, substring_from: _, substring_for: _, special: _, shorthand: _ }
        | Expr::Overlay { expr: _, overlay_what: _, overlay_from: _, overlay_for: _ }
        | Expr::Nested(_)
        // Which values the planner reads it says itself: none of them is left out.
        | Expr::Value(_)
        // `functions::check` looks at calls.
        | Expr::Function(_)
        | Expr::Exists { subquery: _, negated: _ }
        | Expr::Subquery(_)
        | Expr::GroupingSets(_)
        | Expr::Cube(_)
        | Expr::Rollup(_)
        | Expr::Tuple(_)
        | Expr::Named { expr: _, name: _ }
        | Expr::Wildcard(_)
        | Expr::QualifiedWildcard(_, _)
        | Expr::Array(Array { elem: _, named: _ }) => Ok(()),
        Expr::Case { case_token: _, end_token: _, operand: _, conditions, else_result: _ } => {
            conditions.iter().try_for_each(|CaseWhen { condition: _, result: _ }| Ok(()))
        }
        Expr::Dictionary(fields) => fields.iter().try_for_each(|DictionaryField { key: _, value: _ }| Ok(())),
        Expr::Map(Map { entries }) => entries.iter().try_for_each(|MapEntry { key: _, value: _ }| Ok(())),
        Expr::CompoundFieldAccess { root: _, access_chain } => access_chain.iter().try_for_each(check_access),
        Expr::BinaryOp { left: _, op, right: _ } => check_binary(op),
        Expr::UnaryOp { op, expr: _ } => check_unary(*op),
        Expr::Like { negated: _, any, expr: _, pattern: _, escape_char }
        | Expr::ILike { negated: _, any, expr: _, pattern: _, escape_char } => {
            if *any {
                return decline("`LIKE ANY`", "join the patterns with `OR`, or use `regexp_like`");
            }
            if escape_char.is_some() {
                return decline(
                    "`ESCAPE` of a pattern that is not written out",
                    "write `\\` before what stands for itself, which needs no `ESCAPE`",
                );
            }
            Ok(())
        }
        // What can be written as a regular expression was.
        Expr::SimilarTo { negated: _, expr: _, pattern: _, escape_char: _ } => decline(
            "this pattern of `SIMILAR TO`",
            "write `text ~ '^(a|b).*$'`, or `regexp_like`: `%` is `.*` there, and `_` is `.`",
        ),
        Expr::RLike { negated: _, expr: _, pattern: _, regexp: _ } => {
            decline("`RLIKE` or `REGEXP`", "write `text ~ 'pattern'`, or `regexp_like(text, 'pattern')`")
        }
        Expr::Cast { kind: _, expr: _, data_type, array, format } => {
            if format.is_some() {
                return decline("`CAST … FORMAT`", "use `to_date`, `to_timestamp` or `to_char` with a pattern");
            }
            if *array {
                return decline("`CAST … ARRAY`", "write the type as `INT[]`");
            }
            check_type(data_type)
        }
        Expr::TypedString(TypedString { data_type, value: _, uses_odbc_syntax: _ }) => check_type(data_type),
        Expr::Convert { expr: _, data_type: _, charset: _, target_before_value: _, styles: _, is_try: _ } => {
            decline("`CONVERT`", "write `CAST(… AS …)`, or `{fn CONVERT(…, SQL_…)}`")
        }
        Expr::Ceil { expr: _, field } | Expr::Floor { expr: _, field } => match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(()),
            CeilFloorKind::DateTimeField(_) => decline("`CEIL` or `FLOOR` to a unit of time", "use `date_trunc`"),
            CeilFloorKind::Scale(_) => {
                decline("`CEIL` or `FLOOR` with a number of digits", "multiply before and divide after")
            }
        },
        Expr::Trim { trim_where: _, trim_what: _, expr: _, trim_characters } => {
            if trim_characters.as_ref().is_some_and(|characters| characters.len() > 1) {
                return decline("`TRIM` with several lists of characters", "write them as one text: `trim(x, 'ab')`");
            }
            Ok(())
        }
        Expr::Interval(Interval {
            value: _,
            leading_field: _,
            leading_precision,
            last_field,
            fractional_seconds_precision,
        }) => {
            if leading_precision.is_some() || last_field.is_some() || fractional_seconds_precision.is_some() {
                return decline("an interval of several fields", "write the units: `INTERVAL '1 day 2 hours'`");
            }
            Ok(())
        }
        Expr::Struct { values: _, fields } => {
            if fields.is_empty() {
                return Ok(());
            }
            decline("`STRUCT` with types", "write `named_struct('name', value, …)`, and cast the values")
        }
        Expr::Lambda(LambdaFunction { params, body: _, syntax: _ }) => {
            if params.iter().any(|LambdaFunctionParameter { name: _, data_type }| data_type.is_some()) {
                return decline("a lambda with types", "leave the types out");
            }
            Ok(())
        }
        Expr::JsonAccess { value: _, path: _ } => decline("`value:path`", "name the field: `value['field']`"),
        Expr::InUnnest { expr: _, array_expr: _, negated: _ } => {
            decline("`IN UNNEST`", "write `array_has(list, value)`")
        }
        Expr::IsNormalized { expr: _, form: _, negated: _ } => {
            decline("`IS NORMALIZED`", "compare the texts themselves")
        }
        Expr::Collate { expr: _, collation: _ } => decline("`COLLATE`", "compare `lower(…)` of both texts"),
        Expr::Prefixed { prefix: _, value: _ } => decline("a prefix before a text", "leave the prefix out"),
        Expr::MatchAgainst { columns: _, match_value: _, opt_search_modifier: _ } => {
            decline("`MATCH … AGAINST`", "use `LIKE`, or `regexp_like`")
        }
        Expr::OuterJoin(_) => decline("`(+)`", "write `LEFT JOIN … ON …`"),
        Expr::Prior(_) => decline("`PRIOR`", "write `WITH RECURSIVE`"),
        Expr::MemberOf(_) => decline("`MEMBER OF`", "write `array_has(list, value)`"),
    }
}

fn check_access(access: &AccessExpr) -> Result<()> {
    match access {
        AccessExpr::Dot(_) | AccessExpr::Subscript(Subscript::Index { index: _ }) => Ok(()),
        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: _ }) => {
            if lower_bound.is_none() || upper_bound.is_none() {
                return decline("a slice without both bounds", "write `array_slice(list, 1, array_length(list))`");
            }
            Ok(())
        }
    }
}

fn check_binary(op: &BinaryOperator) -> Result<()> {
    use BinaryOperator as B;
    match op {
        B::Plus
        | B::Minus
        | B::Multiply
        | B::Divide
        | B::Modulo
        | B::StringConcat
        | B::Gt
        | B::Lt
        | B::GtEq
        | B::LtEq
        | B::Spaceship
        | B::Eq
        | B::NotEq
        | B::And
        | B::Or
        | B::BitwiseOr
        | B::BitwiseAnd
        | B::BitwiseXor
        | B::PGBitwiseXor
        | B::PGBitwiseShiftLeft
        | B::PGBitwiseShiftRight
        | B::PGExp
        | B::PGRegexMatch
        | B::PGRegexIMatch
        | B::PGRegexNotMatch
        | B::PGRegexNotIMatch
        | B::PGLikeMatch
        | B::PGILikeMatch
        | B::PGNotLikeMatch
        | B::PGNotILikeMatch
        | B::AtArrow
        | B::ArrowAt
        // Of lambdas, too: the planner reads or refuses it.
        | B::Arrow => Ok(()),
        // To the engine it is `^`, which compares the bits of numbers.
        B::Xor => decline("`XOR`", "write `a <> b` for conditions, and `a ^ b` for the bits of numbers"),
        B::DuckIntegerDivide | B::MyIntegerDivide => {
            decline(&format!("`{op}`"), "write `a / b`, which rounds towards zero for whole numbers")
        }
        B::LongArrow | B::HashArrow | B::HashLongArrow => {
            decline(&format!("the operator `{op}`"), "name the field of a struct: `value['field']`")
        }
        B::Match
        | B::Regexp
        | B::Custom(_)
        | B::PGOverlap
        | B::PGStartsWith
        | B::AtAt
        | B::HashMinus
        | B::AtQuestion
        | B::Question
        | B::QuestionAnd
        | B::QuestionPipe
        | B::PGCustomBinaryOperator(_)
        | B::Overlaps
        | B::DoubleHash
        | B::LtDashGt
        | B::AndLt
        | B::AndGt
        | B::LtLtPipe
        | B::PipeGtGt
        | B::AndLtPipe
        | B::PipeAndGt
        | B::LtCaret
        | B::GtCaret
        | B::QuestionHash
        | B::QuestionDash
        | B::QuestionDashPipe
        | B::QuestionDoublePipe
        | B::At
        | B::TildeEq
        | B::Assignment => decline(&format!("the operator `{op}`"), "use a function that does the same"),
    }
}

fn check_unary(op: UnaryOperator) -> Result<()> {
    use UnaryOperator as U;
    match op {
        U::Plus | U::Minus | U::Not => Ok(()),
        U::AtDashAt
        | U::BangNot
        | U::BitwiseNot
        | U::DoubleAt
        | U::Hash
        | U::PGAbs
        | U::PGCubeRoot
        | U::PGPostfixFactorial
        | U::PGPrefixFactorial
        | U::PGSquareRoot
        | U::QuestionDash
        | U::QuestionPipe => decline(&format!("the operator `{op}`"), "use a function that does the same"),
    }
}

/// Sizes in types: the planner reads those of decimals and times, and leaves out the others.
fn check_type(data_type: &DataType) -> Result<()> {
    use DataType as T;
    match data_type {
        // Cut off by `written` where they are the whole type.
        T::Varchar(Some(CharacterLength::IntegerLength { .. }))
        | T::Char(Some(CharacterLength::IntegerLength { .. }))
        | T::String(Some(_)) => {
            decline(&format!("`{data_type}` here"), "leave the length out, and write `left(text, n)` to cut texts off")
        }
        T::Float(precision) if *precision != datafusion::sql::sqlparser::ast::ExactNumberInfo::None => {
            decline(&format!("`{data_type}`"), "write `REAL` for 4 bytes, or `DOUBLE` for 8")
        }
        T::Array(
            ArrayElemTypeDef::AngleBracket(of)
            | ArrayElemTypeDef::Parenthesis(of)
            | ArrayElemTypeDef::SquareBracket(of, _),
        ) => check_type(of),
        T::Struct(fields, _) => fields.iter().try_for_each(|StructField { field_name: _, field_type, options }| {
            if options.is_some() {
                return decline("options in a type", "leave them out");
            }
            check_type(field_type)
        }),
        // Display widths of whole numbers mean nothing for values. All other types the planner reads whole, or refuses.
        _ => Ok(()),
    }
}
