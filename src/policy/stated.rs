//! The conditions of a policy as its text states them: each with its place, the text of its file without it, and the question
//! whether it was asked at all.
//!
//! `when { a && (b || c) }` states `a`, `b || c`, `b` and `c`; the head states who is meant. A condition may lean on those before
//! it (`principal has region && …`), so that it is only ever asked behind them.

use std::ops::Range;

use super::document::{Stated, Text};
use super::store::PolicyStore;
use crate::diagnostic::Place;
use crate::mesh::Files;
use crate::name::QualifiedTable;

/// A policy and its conditions.
#[derive(Debug, Clone)]
pub struct StatedPolicy {
    pub id: String,
    pub place: Place,
    /// Relative to the catalog folder.
    pub file: String,
    /// Speaks of rows: only then a test over rows can make it decide.
    pub is_about_rows: bool,
    pub conditions: Vec<StatedCondition>,
    /// The policy without annotations.
    pub(super) body: String,
    /// Which of the store's policies it is.
    pub(super) index: usize,
}

#[derive(Debug, Clone)]
pub struct StatedCondition {
    /// On one line.
    pub text: String,
    pub place: Place,
    pub(super) source: String,
    /// What to cut from the file's text to drop it.
    cut: Range<usize>,
    /// What stands in its place: nothing, but in the head.
    instead: &'static str,
    /// Everything of the policy that comes before it, up to the open bracket of a `when`; nothing for the head.
    pub(super) before: Option<String>,
}

impl PolicyStore {
    /// Every policy with its conditions, in the order of the files that they were loaded from.
    pub fn stated(&self, files: &Files) -> Vec<StatedPolicy> {
        let stated = self.policies.iter().enumerate().filter_map(|(index, policy)| read(policy, index, files));
        stated.collect()
    }

    /// True where the policy can bear on a cell of the table.
    pub fn bears_on(&self, policy: &StatedPolicy, table: &QualifiedTable) -> bool {
        self.tables.get(table).is_some_and(|guarded| guarded.policies.contains(&policy.index))
    }
}

impl StatedPolicy {
    /// The files as they would be without one of the policy's conditions.
    pub fn without(&self, condition: &StatedCondition, files: &Files) -> Files {
        let mut files = files.clone();
        if let Some(text) = files.texts.get_mut(&self.file)
            && text.get(condition.cut.clone()).is_some()
        {
            text.replace_range(condition.cut.clone(), condition.instead);
        }
        files
    }
}

fn read(policy: &Stated, index: usize, files: &Files) -> Option<StatedPolicy> {
    let (path, text) = files.texts.iter().find(|(path, _)| files.display(path) == policy.place.file)?;
    let place = Text { file: &policy.place.file, text };
    let source = text.get(policy.span.clone())?;
    let tokens = tokens(source);
    let head = tokens.iter().position(|token| matches!(token.text(source), "permit" | "forbid"))?;
    let open = head + 1;
    let close = closing(&tokens, source, open)?;
    let offset = policy.span.start;
    let body_start = tokens.get(head)?.0.start;
    let mut conditions = Vec::new();
    let comma = (open + 1..close).find(|at| tokens.get(*at).is_some_and(|token| token.text(source) == ","))?;
    let who = span(&tokens, open + 1, comma)?;
    if source.get(who.clone()) != Some("principal") {
        conditions.push(StatedCondition {
            text: one_line(source.get(who.clone())?),
            source: source.get(who.clone())?.to_owned(),
            place: place.place(offset + who.start),
            cut: shifted(&who, offset),
            instead: "principal",
            before: None,
        });
    }
    let mut at = close + 1;
    while let Some(word) = tokens.get(at).filter(|token| matches!(token.text(source), "when" | "unless")) {
        let end = closing(&tokens, source, at + 1)?;
        let before = format!("{} when {{ ", source.get(body_start..word.0.start)?);
        let mut walk = Walk { source, tokens: &tokens, place, offset, out: &mut conditions };
        let whole = word.0.start..tokens.get(end)?.0.end;
        walk.chain(at + 2, end, Some(whole), &before);
        at = end + 1;
    }
    Some(StatedPolicy {
        id: policy.id.clone(),
        place: policy.place.clone(),
        file: path.clone(),
        is_about_rows: policy.is_about("read"),
        conditions,
        body: source.get(body_start..)?.to_owned(),
        index,
    })
}

struct Walk<'a> {
    source: &'a str,
    tokens: &'a [Token],
    place: Text<'a>,
    offset: usize,
    out: &'a mut Vec<StatedCondition>,
}

impl Walk<'_> {
    /// Reads the tokens `from..to`. `cut` drops all of them together, where that is a condition of its own.
    fn chain(&mut self, from: usize, to: usize, cut: Option<Range<usize>>, before: &str) {
        let Some(whole) = span(self.tokens, from, to) else { return };
        for (operator, negated) in [("||", "!"), ("&&", "")] {
            let parts = self.split(from, to, operator);
            if parts.len() < 2 {
                continue;
            }
            if let Some(cut) = cut.filter(|cut| *cut != whole && !self.is_clause(cut)) {
                self.push(&whole, cut, before);
            }
            let mut before = before.to_owned();
            for (at, (from, to)) in parts.iter().enumerate() {
                let Some(own) = span(self.tokens, *from, *to) else { return };
                let neighbour = |at: Option<usize>| {
                    let (from, to) = *parts.get(at?)?;
                    span(self.tokens, from, to)
                };
                let cut = match (neighbour(at.checked_add(1)), neighbour(at.checked_sub(1))) {
                    (Some(next), _) => own.start..next.start,
                    (None, Some(last)) => last.end..own.end,
                    (None, None) => own.clone(),
                };
                self.chain(*from, *to, Some(cut), &before);
                let text = self.source.get(own).unwrap_or_default();
                before = format!("{before}{negated}({text}) && ");
            }
            return;
        }
        // A bracket around all of it adds nothing.
        let is = |at: usize, text: &str| self.tokens.get(at).is_some_and(|token| token.text(self.source) == text);
        if is(from, "(") && closing(self.tokens, self.source, from) == to.checked_sub(1) {
            return self.chain(from + 1, to - 1, cut, before);
        }
        if let Some(cut) = cut {
            self.push(&whole, cut, before);
        }
    }

    fn push(&mut self, own: &Range<usize>, cut: Range<usize>, before: &str) {
        let source = self.source.get(own.clone()).unwrap_or_default();
        self.out.push(StatedCondition {
            text: one_line(source),
            source: source.to_owned(),
            place: self.place.place(self.offset + own.start),
            cut: shifted(&cut, self.offset),
            instead: "",
            before: Some(before.to_owned()),
        });
    }

    /// To drop a whole clause of several conditions says less than to drop each.
    fn is_clause(&self, cut: &Range<usize>) -> bool {
        let text = self.source.get(cut.clone()).unwrap_or_default();
        text.starts_with("when") || text.starts_with("unless")
    }

    /// Token ranges between the operators of one level; an `if` is never split.
    fn split(&self, from: usize, to: usize, operator: &str) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0_usize, from);
        for at in from..to {
            let Some(token) = self.tokens.get(at) else { break };
            match token.text(self.source) {
                "if" if depth == 0 => return Vec::new(),
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                text if depth == 0 && text == operator => {
                    parts.push((start, at));
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push((start, to));
        parts
    }
}

/// Where a token stands in the policy's text.
#[derive(Debug, Clone)]
struct Token(Range<usize>);

impl Token {
    fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.0.clone()).unwrap_or_default()
    }
}

/// Words, texts in quotes, `&&`, `||`, and single signs; comments and white space are passed over. The text is known to be Cedar.
fn tokens(source: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut chars = source.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            _ if c.is_whitespace() => continue,
            '/' if next == Some('/') => {
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
                continue;
            }
            '"' => {
                while let Some((at, c)) = chars.next() {
                    end = at + c.len_utf8();
                    match c {
                        '\\' => end = chars.next().map_or(end, |(at, c)| at + c.len_utf8()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '&' | '|' if next == Some(c) => {
                chars.next();
                end += 1;
            }
            _ if c.is_alphanumeric() || c == '_' => {
                while let Some((at, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                    end = at + c.len_utf8();
                }
            }
            _ => {}
        }
        out.push(Token(start..end));
    }
    out
}

/// The bracket that closes the one at `open`.
fn closing(tokens: &[Token], source: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text(source) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn span(tokens: &[Token], from: usize, to: usize) -> Option<Range<usize>> {
    let last = to.checked_sub(1).filter(|last| *last >= from)?;
    Some(tokens.get(from)?.0.start..tokens.get(last)?.0.end)
}

fn shifted(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
