//! `DATEADD(day, 1, t)`: units of time that are written as bare words.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

const FUNCTIONS: [&str; 6] = ["date_add", "dateadd", "timestampadd", "date_diff", "datediff", "timestampdiff"];

/// Makes a text of the word at the first of three places, which is never a column there; on tokens, as columns may have such names.
pub(super) fn quote(tokens: &mut [TokenWithSpan]) {
    let mut places = Vec::new();
    let mut before = [None::<&Token>; 3];
    for (at, TokenWithSpan { token, .. }) in tokens.iter().enumerate() {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        // `x.dateadd(…)` is somebody else's.
        if let [qualifier, Some(Token::Word(name)), Some(Token::LParen)] = before
            && qualifier != Some(&Token::Period)
            && name.quote_style.is_none()
            && FUNCTIONS.iter().any(|function| name.value.eq_ignore_ascii_case(function))
            && let Token::Word(unit) = token
            && unit.quote_style.is_none()
            && is_first_of_three(tokens.get(at..).unwrap_or_default())
        {
            places.push((at, unit.value.clone()));
        }
        before = [before[1], before[2], Some(token)];
    }
    for (at, unit) in places {
        if let Some(place) = tokens.get_mut(at) {
            place.token = Token::SingleQuotedString(unit);
        }
    }
}

/// Whether a word stands alone before two more arguments.
fn is_first_of_three(tokens: &[TokenWithSpan]) -> bool {
    let (mut open, mut commas) = (0_usize, 0);
    for (at, token) in
        tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_))).enumerate()
    {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => open += 1,
            Token::RParen | Token::RBracket | Token::RBrace if open == 0 => return commas == 2,
            Token::RParen | Token::RBracket | Token::RBrace => open -= 1,
            Token::Comma if open == 0 => commas += 1,
            _ => {}
        }
        if (at == 1 && commas != 1) || commas > 2 {
            return false;
        }
    }
    false
}
