//! SQL text cut into pieces by DataFusion's own tokenizer, tolerant of input that is still being typed.
//!
//! Highlighting, splitting, validation and completion all read these pieces, so they agree on what is inside
//! a string or a comment.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Keyword,
    Name,
    /// `"a name"`
    QuotedName,
    Number,
    Text,
    Comment,
    Space,
    Semicolon,
    Dot,
    Comma,
    Symbol,
    /// The rest of the input: a string or comment that has not ended, or what the tokenizer cannot read.
    Unfinished,
}

/// A byte range of the input and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) class: Class,
}

impl Piece {
    /// True for what the server would run, false for white space and comments.
    pub(super) fn is_significant(&self) -> bool {
        !matches!(self.class, Class::Space | Class::Comment)
    }

    pub(super) fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.range.clone()).unwrap_or_default()
    }
}

/// Pieces in order, without gaps, covering the whole text.
pub(super) fn scan(text: &str) -> Vec<Piece> {
    // The generic dialect expands `/*! … */` and loses its place; of equal length, this is a plain comment.
    let plain = text.replace("/*!", "/* ");
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // On an error the tokens before it stand in the buffer.
    let _ = Tokenizer::new(&GenericDialect {}, &plain).tokenize_with_location_into_buf(&mut tokens);

    let mut at = Cursor::new(&plain);
    let mut pieces = Vec::with_capacity(tokens.len() + 1);
    for token in tokens {
        let start = at.byte;
        let end = at.advance_to(token.span.end);
        if end > start {
            pieces.push(Piece { range: start..end, class: class(&token.token) });
        }
    }
    if at.byte < text.len() {
        pieces.push(Piece { range: at.byte..text.len(), class: Class::Unfinished });
    }
    pieces
}

/// Walks the text once, from the tokenizer's lines and columns to bytes.
struct Cursor<'a> {
    rest: std::str::Chars<'a>,
    byte: usize,
    line: u64,
    column: u64,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars(), byte: 0, line: 1, column: 1 }
    }

    fn advance_to(&mut self, to: Location) -> usize {
        while (self.line, self.column) < (to.line, to.column) {
            let Some(c) = self.rest.next() else { break };
            self.byte += c.len_utf8();
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.byte
    }
}

fn class(token: &Token) -> Class {
    match token {
        Token::Word(word) if word.quote_style.is_some() => Class::QuotedName,
        Token::Word(word) if words::is_keyword(&word.value) => Class::Keyword,
        Token::Word(_) => Class::Name,
        Token::Number(..) => Class::Number,
        Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => Class::Comment,
        Token::Whitespace(_) => Class::Space,
        Token::SemiColon => Class::Semicolon,
        Token::Period => Class::Dot,
        Token::Comma => Class::Comma,
        Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_) => Class::Text,
        _ => Class::Symbol,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &[(Class, &str)]) {
        let pieces = scan(text);
        let got: Vec<_> = pieces.iter().filter(|p| p.class != Class::Space).map(|p| (p.class, p.text(text))).collect();
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn pieces_of_a_statement() {
        check(
            "SELECT \"a b\", 'é;''x' FROM s.t -- c;\n;",
            &[
                (Class::Keyword, "SELECT"),
                (Class::QuotedName, "\"a b\""),
                (Class::Comma, ","),
                (Class::Text, "'é;''x'"),
                (Class::Keyword, "FROM"),
                (Class::Name, "s"),
                (Class::Dot, "."),
                (Class::Name, "t"),
                (Class::Comment, "-- c;\n"),
                (Class::Semicolon, ";"),
            ],
        );
        check("/*! ; */ 1.5", &[(Class::Comment, "/*! ; */"), (Class::Number, "1.5")]);
        check("$$a;b$$ $t$;$t$", &[(Class::Text, "$$a;b$$"), (Class::Text, "$t$;$t$")]);
    }

    #[test]
    fn unfinished_input_keeps_what_came_before() {
        check("select 'ab; c", &[(Class::Keyword, "select"), (Class::Unfinished, "'ab; c")]);
        check("select /* a ; ", &[(Class::Keyword, "select"), (Class::Unfinished, "/* a ; ")]);
        check("select $$ a ; ", &[(Class::Keyword, "select"), (Class::Unfinished, "$$ a ; ")]);
    }

    proptest! {
        #[test]
        fn pieces_cover_any_text_without_gaps(text in "[a-zé;'\"$/*\\-\n !.\\\\1]{0,40}") {
            let mut end = 0;
            for piece in scan(&text) {
                prop_assert_eq!(piece.range.start, end);
                prop_assert!(text.get(piece.range.clone()).is_some());
                end = piece.range.end;
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
