//! What text may cost, by its tokens.
//!
//! A tree of 20,000 `OR`s overflows the stack when it is dropped, and 5,000 additions plan for half a minute: so chains are
//! counted before there is a tree. Counting is generous (a chain may be shallower than it counts), never mean.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::{allow, syntax};
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};

/// Longest name, quoted or not: names are compared with each other, repeated in schemas and in errors.
const NAME_BYTES: usize = 1_024;
/// Each further join multiplies the orders the planner thinks about.
const JOINS: usize = 64;
/// `UNION`, `EXCEPT`, `INTERSECT`: 3,000 of them planned for 6 s.
const SET_OPERATIONS: usize = 100;
/// Types nest without the parser counting.
const NESTED_TYPES: usize = 16;
/// Keywords and signs in a row, without a name or value between: `INTERVAL INTERVAL …` recurses unguarded in the parser.
const PREFIXES: usize = 32;
/// Words of expressions open at one place that the parser tries twice (as the keyword and as a name): each doubles its work.
const SPECULATIONS: usize = 10;
/// Brackets open at one place; the parser stops earlier on most of them.
const BRACKETS: usize = 100;

/// The tokens of `sql`, where their number, nesting and chains are within `limits` and the first may begin a statement.
pub(super) fn admit(sql: &str, limits: &Limits) -> Result<Vec<TokenWithSpan>> {
    if sql.len() > limits.statement_bytes {
        return Err(configured("the statement is longer than", limits.statement_bytes, "bytes"));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error| syntax::at(&error.message, error.location, sql))?;
    // Not one too many is looked at further.
    count(&tokens, limits)?;
    match meaning(&tokens).find(|token| !matches!(token, Token::SemiColon)) {
        Some(first) => allow::first(first)?,
        None => return Err(syntax::empty()),
    }
    if meaning(&tokens).any(|token| matches!(token, Token::Word(word) if word.value.len() > NAME_BYTES)) {
        return Err(too("the statement has a name longer than", NAME_BYTES, "bytes"));
    }
    chain(&tokens, limits)?;
    Ok(tokens)
}

fn meaning(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &Token> {
    tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_)))
}

fn count(tokens: &[TokenWithSpan], limits: &Limits) -> Result<()> {
    let mut listed = Listed::default();
    if meaning(tokens).filter(|token| !listed.is_value(token)).nth(limits.statement_tokens).is_some() {
        return Err(configured("the statement has more than", limits.statement_tokens, "words and signs"));
    }
    Ok(())
}

/// Whether number, nesting and chains of tokens are within `limits`.
pub(super) fn weigh(tokens: &[TokenWithSpan], limits: &Limits) -> Result<()> {
    count(tokens, limits)?;
    chain(tokens, limits)
}

fn chain(tokens: &[TokenWithSpan], limits: &Limits) -> Result<()> {
    let mut weight = Weight::default();
    meaning(tokens).try_for_each(|token| weight.add(token, limits.statement_depth))
}

/// True for `EXPLAIN ACCESS …`, of which the two words are taken away; what follows keeps its place in the text.
pub(super) fn without_access(tokens: &mut Vec<TokenWithSpan>) -> Result<bool> {
    let mut meaning = (0..tokens.len()).filter(|at| {
        !matches!(tokens.get(*at).map(|token| &token.token), Some(Token::Whitespace(_) | Token::SemiColon) | None)
    });
    let places = (meaning.next(), meaning.next(), meaning.next());
    let token = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|token| &token.token);
    let is = |at: Option<usize>, text: &str| matches!(token(at), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text));
    if !is(places.0, "EXPLAIN") || !is(places.1, "ACCESS") {
        return Ok(false);
    }
    if let Some(first) = token(places.2) {
        allow::first(first)?;
    }
    if let (Some(explain), Some(access)) = (places.0, places.1) {
        tokens.remove(access);
        tokens.remove(explain);
    }
    Ok(true)
}

fn too(what: &str, limit: usize, unit: &str) -> Diagnostic {
    Diagnostic::error(Kind::Exhausted, format!("{what} {limit} {unit}"))
}

/// For what a key of `[limits]` bounds; the other bounds are fixed.
fn configured(what: &str, limit: usize, unit: &str) -> Diagnostic {
    too(what, limit, unit).hint("make it smaller, or ask the operator about `[limits]`")
}

/// Finds the values of `IN (…)`: a hundred thousand of them are one expression to the planner, and their length is bounded.
#[derive(Default)]
struct Listed {
    /// For each open bracket, whether it is of an `IN`.
    open: Vec<bool>,
    after_in: bool,
}

impl Listed {
    fn is_value(&mut self, token: &Token) -> bool {
        let begins = std::mem::take(&mut self.after_in);
        match token {
            Token::LParen => self.open.push(begins),
            Token::RParen => {
                self.open.pop();
            }
            Token::Word(word) => {
                self.after_in = word.quote_style.is_none() && word.keyword == Keyword::IN;
                // A subquery, or an expression: no list of values.
                if let Some(open) = self.open.last_mut() {
                    *open = false;
                }
            }
            Token::Number(_, _) | Token::SingleQuotedString(_) | Token::Comma | Token::Minus => {
                return self.open.last() == Some(&true);
            }
            _ => {}
        }
        false
    }
}

#[derive(Default)]
struct Weight {
    /// For each open bracket, the chain it interrupted.
    open: Vec<usize>,
    /// Operators since the last comma or clause, at this place.
    chain: usize,
    /// The chains of `open` together.
    outer: usize,
    joins: usize,
    set_operations: usize,
    nested_types: usize,
    explains: usize,
    prefixes: usize,
    /// Speculative keywords before each open bracket, since the last value, and all of `tried_open` together.
    tried_open: Vec<usize>,
    tried: usize,
    tried_outer: usize,
    cases: usize,
    after_type: bool,
}

impl Weight {
    fn add(&mut self, token: &Token, depth: usize) -> Result<()> {
        let begins_type = self.after_type && matches!(token, Token::Lt | Token::LParen);
        self.after_type = false;
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                // A row of subscripts is a chain too, closed brackets or not.
                self.chain += usize::from(*token == Token::LBracket);
                self.open.push(self.chain);
                self.outer += self.chain;
                self.chain = 0;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                self.chain = self.open.pop().unwrap_or_default();
                self.outer = self.outer.saturating_sub(self.chain);
            }
            Token::Comma | Token::SemiColon => self.chain = 0,
            Token::Word(word) if word.quote_style.is_none() => self.word(word)?,
            Token::Word(_) | Token::Number(_, _) | Token::SingleQuotedString(_) | Token::EOF => {}
            // Every other sign may be an operator.
            _ => self.chain += 1,
        }
        self.speculate(token)?;
        self.prefixes = if is_prefix(token) { self.prefixes + 1 } else { 0 };
        if self.prefixes > PREFIXES {
            return Err(too("the statement has more than", PREFIXES, "keywords or signs in a row"));
        }
        self.nested_types += usize::from(begins_type);
        if self.nested_types > NESTED_TYPES {
            return Err(too("the statement has more than", NESTED_TYPES, "nested types"));
        }
        if self.open.len() > BRACKETS {
            return Err(too("brackets are nested more than", BRACKETS, "deep"));
        }
        if self.chain + self.outer > depth {
            return Err(configured("the statement chains more than", depth, "operators in one expression")
                .hint("use `IN (…)` for a long row of `OR`, or join with a `VALUES` list"));
        }
        Ok(())
    }

    fn speculate(&mut self, token: &Token) -> Result<()> {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                self.tried_open.push(self.tried);
                self.tried_outer += self.tried;
                self.tried = 0;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                self.tried_outer = self.tried_outer.saturating_sub(self.tried_open.pop().unwrap_or_default());
                self.tried = 0;
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => self.cases += 1,
                Keyword::END => self.cases = self.cases.saturating_sub(1),
                Keyword::JOIN
                | Keyword::CAST
                | Keyword::TRY_CAST
                | Keyword::SAFE_CAST
                | Keyword::CONVERT
                | Keyword::TRY_CONVERT
                | Keyword::EXISTS
                | Keyword::EXTRACT
                | Keyword::CEIL
                | Keyword::FLOOR
                | Keyword::POSITION
                | Keyword::SUBSTR
                | Keyword::SUBSTRING
                | Keyword::OVERLAY
                | Keyword::TRIM
                | Keyword::INTERVAL
                | Keyword::ARRAY
                | Keyword::STRUCT
                | Keyword::PRIOR
                | Keyword::CONNECT_BY_ROOT
                | Keyword::MAP
                | Keyword::MATCH
                | Keyword::LAMBDA
                | Keyword::DATE
                | Keyword::TIME
                | Keyword::TIMESTAMP
                | Keyword::DATETIME => self.tried += 1,
                Keyword::NoKeyword => self.tried = 0,
                _ => {}
            },
            Token::Word(_) | Token::Number(_, _) | Token::SingleQuotedString(_) | Token::Comma | Token::SemiColon => {
                self.tried = 0;
            }
            _ => {}
        }
        if self.tried + self.tried_outer + self.cases > SPECULATIONS {
            return Err(too(
                "`CASE`, `CAST`, `INTERVAL`, `JOIN (…)` and the like are nested more than",
                SPECULATIONS,
                "deep",
            ));
        }
        Ok(())
    }

    fn word(&mut self, word: &Word) -> Result<()> {
        match word.keyword {
            Keyword::JOIN | Keyword::APPLY => self.joins += 1,
            Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                self.set_operations += 1;
                self.chain = 0;
            }
            Keyword::EXPLAIN => self.explains += 1,
            Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::ORDER => {
                self.chain = 0;
            }
            Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP | Keyword::NESTED | Keyword::TUPLE | Keyword::NULLABLE => {
                self.after_type = true;
            }
            Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::BETWEEN
            | Keyword::CASE
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::DIV
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::MEMBER => self.chain += 1,
            _ => {}
        }
        if self.joins > JOINS {
            return Err(too("the statement has more than", JOINS, "joins"));
        }
        if self.set_operations > SET_OPERATIONS {
            return Err(too("the statement has more than", SET_OPERATIONS, "set operations"));
        }
        if self.explains > NESTED_TYPES {
            return Err(Diagnostic::error(Kind::Invalid, "`EXPLAIN` takes one query"));
        }
        Ok(())
    }
}

/// Whether an expression may go on to nest behind `token`: not behind a name, a value, or a sign that only follows one.
fn is_prefix(token: &Token) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_none() => !matches!(
            word.keyword,
            Keyword::NoKeyword
                | Keyword::FN
                | Keyword::AND
                | Keyword::OR
                | Keyword::IS
                | Keyword::AS
                | Keyword::FROM
                | Keyword::WHERE
        ),
        Token::Word(_)
        | Token::Number(_, _)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::SemiColon
        | Token::Period
        | Token::RParen
        | Token::RBracket
        | Token::RBrace
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::DoubleColon => false,
        _ => true,
    }
}
