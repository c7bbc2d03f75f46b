//! `{fn …}`, `{d '…'}` and the other escapes of JDBC (4.3, section 13.4), written out as the SQL that they stand for.
//!
//! On tokens, so that texts, comments and quoted names stay as they are. What is written out is parsed and checked as if it had been
//! typed: an escape reaches nothing that its function does not.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::jdbc::{self, Written};
use super::syntax;
use crate::diagnostic::{Diagnostic, Kind, Result, did_you_mean};

const FORMS: &str =
    "escapes are `{fn …}`, `{d '…'}`, `{t '…'}`, `{ts '…'}`, `{oj … OUTER JOIN …}`, `{escape '\\'}` and `{limit …}`";

/// The tokens with each escape written out, and whether there was one.
///
/// Needs stack for each brace inside another: their number was bounded before.
///
/// # Errors
/// `Invalid` with the place for braces that are no escape and no struct, `Unsupported` for functions that are not offered.
pub(super) fn write_out(tokens: Vec<TokenWithSpan>, sql: &str) -> Result<(Vec<TokenWithSpan>, bool)> {
    if !tokens.iter().any(|token| token.token == Token::LBrace) {
        return Ok((tokens, false));
    }
    let meaning: Vec<TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).cloned().collect();
    let written = expand(&meaning, sql)?;
    Ok(if written == meaning { (tokens, false) } else { (written, true) })
}

/// `tokens` hold no whitespace.
fn expand(tokens: &[TokenWithSpan], sql: &str) -> Result<Vec<TokenWithSpan>> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens;
    let mut after_map = false;
    while let Some((first, behind)) = rest.split_first() {
        let escape = if first.token == Token::LBrace && !after_map { form(behind) } else { None };
        after_map =
            matches!(&first.token, Token::Word(word) if word.keyword == Keyword::MAP && word.quote_style.is_none());
        let Some(name) = escape else {
            out.push(first.clone());
            rest = behind;
            continue;
        };
        let Some(end) = closing(behind) else {
            return Err(syntax::at("this `{` is not closed", first.span.start, sql).hint(FORMS));
        };
        let (inner, after) = behind.split_at_checked(end).unwrap_or((behind, &[]));
        let body = expand(inner.get(1..).unwrap_or_default(), sql)?;
        one(&name, first, body, sql, &mut out)?;
        rest = after.get(1..).unwrap_or_default();
    }
    Ok(out)
}

/// The word that makes a brace an escape; none where it begins a struct, whose first name is a text or has a colon behind it.
fn form(behind: &[TokenWithSpan]) -> Option<String> {
    match (behind.first().map(|token| &token.token), behind.get(1).map(|token| &token.token)) {
        (Some(Token::Word(Word { quote_style: Some(_), .. })), _) | (Some(Token::Word(_)), Some(Token::Colon)) => None,
        (Some(Token::Word(word)), _) => Some(word.value.to_lowercase()),
        (Some(Token::Placeholder(_)), Some(Token::Eq)) => Some("call".to_owned()),
        _ => None,
    }
}

/// Where the brace that is open before `tokens` is closed.
fn closing(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut open = 1_usize;
    tokens.iter().position(|token| {
        match token.token {
            Token::LBrace => open += 1,
            Token::RBrace => open -= 1,
            _ => {}
        }
        open == 0
    })
}

/// Writes one escape to `out`; template and words take the place of its brace.
fn one(
    name: &str,
    brace: &TokenWithSpan,
    body: Vec<TokenWithSpan>,
    sql: &str,
    out: &mut Vec<TokenWithSpan>,
) -> Result<()> {
    let place = brace.span.start;
    let word = |text: &str| TokenWithSpan::new(Token::make_word(text, None), brace.span);
    let text = match body.as_slice() {
        [TokenWithSpan { token: Token::SingleQuotedString(text), .. }] => Some(text.as_str()),
        _ => None,
    };
    let typed = |kind: &str, example: &str| match text {
        Some(_) => Ok(word(kind)),
        None => Err(syntax::at(&format!("`{{{name} …}}` takes one text"), place, sql)
            .hint(format!("for example `{{{name} '{example}'}}`"))),
    };
    match name {
        "fn" => return function(brace, &body, sql, out),
        "d" => out.push(typed("DATE", "2026-05-31")?),
        "t" => out.push(typed("TIME", "23:59:00")?),
        "ts" => out.push(typed("TIMESTAMP", "2026-05-31 23:59:00")?),
        "escape" if text == Some("\\") => out.push(word("ESCAPE")),
        "escape" => {
            return Err(syntax::at("patterns are escaped by `\\` only", place, sql).hint("write `{escape '\\'}`"));
        }
        "oj" if body.iter().any(|token| is_word(&token.token, Keyword::JOIN)) => {}
        "oj" => {
            return Err(syntax::at("`{oj …}` holds no join", place, sql)
                .hint("for example `{oj a LEFT OUTER JOIN b ON a.id = b.id}`"));
        }
        "limit" if !body.is_empty() => out.push(word("LIMIT")),
        "limit" => return Err(syntax::at("`{limit …}` takes a number", place, sql).hint("for example `{limit 10}`")),
        "call" => return Err(syntax::at("there are no procedures to call", place, sql).hint(FORMS)),
        _ => return Err(syntax::at(&format!("`{{{name} …}}` is no escape"), place, sql).hint(FORMS)),
    }
    out.extend(body);
    Ok(())
}

fn is_word(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.keyword == keyword)
}

/// `{fn NAME(…)}`, or `{fn NAME}` for one that takes nothing.
fn function(brace: &TokenWithSpan, body: &[TokenWithSpan], sql: &str, out: &mut Vec<TokenWithSpan>) -> Result<()> {
    let call = match body.split_first() {
        Some((TokenWithSpan { token: Token::Word(word), .. }, behind)) if word.quote_style.is_none() => {
            arguments(behind).map(|given| (word.value.to_uppercase(), given))
        }
        _ => None,
    };
    let Some((name, given)) = call else {
        return Err(syntax::at("`{fn …}` takes one call of a function", brace.span.start, sql)
            .hint("for example `{fn UCASE(name)}`"));
    };
    let mut counts = Vec::new();
    for template in jdbc::templates(&name) {
        let takes = jdbc::takes(template);
        if takes == given.len() {
            return write(&name, template, &given, brace, sql, out);
        }
        counts.push(takes.to_string());
    }
    if counts.is_empty() {
        let refused = syntax::at(&format!("`{{fn {name}(…)}}` is not offered"), brace.span.start, sql);
        let refused = Diagnostic { kind: Kind::Unsupported, ..refused };
        let near = did_you_mean(&name, jdbc::names());
        return Err(near.into_iter().fold(refused, Diagnostic::hint).hint(
            "`getStringFunctions` and its like list what is; without `{fn …}` functions have the names that DataFusion gives them",
        ));
    }
    let message = format!("`{{fn {name}(…)}}` takes {} arguments, not {}", counts.join(" or "), given.len());
    Err(syntax::at(&message, brace.span.start, sql).hint("give it as many"))
}

/// What stands between the commas of `(…)`; none where the brackets do not fit.
fn arguments(tokens: &[TokenWithSpan]) -> Option<Vec<&[TokenWithSpan]>> {
    let inner = match tokens {
        [] => return Some(Vec::new()),
        [TokenWithSpan { token: Token::LParen, .. }, inner @ .., TokenWithSpan { token: Token::RParen, .. }] => inner,
        _ => return None,
    };
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let (mut open, mut begun, mut given) = (0_usize, 0, Vec::new());
    for (at, token) in inner.iter().enumerate() {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => open += 1,
            Token::RParen | Token::RBracket | Token::RBrace => open = open.checked_sub(1)?,
            Token::Comma if open == 0 => {
                given.push(inner.get(begun..at)?);
                begun = at + 1;
            }
            _ => {}
        }
    }
    given.push(inner.get(begun..)?);
    (open == 0 && given.iter().all(|argument| !argument.is_empty())).then_some(given)
}

fn write(
    name: &str,
    template: &str,
    given: &[&[TokenWithSpan]],
    brace: &TokenWithSpan,
    sql: &str,
    out: &mut Vec<TokenWithSpan>,
) -> Result<()> {
    for written in jdbc::written(template) {
        match written {
            Written::Sign(token) => out.push(TokenWithSpan::new(token, brace.span)),
            Written::Argument(at) => out.extend(given.get(at).copied().unwrap_or_default().iter().cloned()),
            Written::Word(at, words) => {
                let argument = given.get(at).copied().unwrap_or_default();
                let word = match argument {
                    [TokenWithSpan { token: Token::Word(word), .. }] => word.value.to_uppercase(),
                    _ => String::new(),
                };
                let Some(meant) =
                    words.iter().find(|(theirs, _)| *theirs == word.strip_prefix("SQL_").unwrap_or(&word))
                else {
                    let place = argument.first().unwrap_or(brace).span.start;
                    let all: Vec<String> = words.iter().map(|(theirs, _)| format!("SQL_{theirs}")).collect();
                    return Err(syntax::at(&format!("`{{fn {name}(…)}}` does not know this word"), place, sql)
                        .hint(format!("it takes {}", all.join(", "))));
                };
                let signs = jdbc::tokens(meant.1);
                out.extend(signs.into_iter().map(|token| TokenWithSpan::new(token, brace.span)));
            }
        }
    }
    Ok(())
}
