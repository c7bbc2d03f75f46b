//! One `.cedar` file → policies with their heads read, and where everything stands.

use std::ops::Range;

use cedar_policy::ffi::DetailedError;
use cedar_policy::pst::{Effect, Template};
use cedar_policy::{Policy, PolicyId, PolicySet};

use super::mask::Mask;
use super::mentions::Mentions;
use super::scope::Reach;
use crate::diagnostic::{Diagnostic, Kind, Place};

/// A policy as its file states it, not yet checked against the mesh.
#[derive(Debug, Clone)]
pub(super) struct Stated {
    pub id: String,
    pub cedar: Policy,
    pub pst: Template,
    pub mask: Mask,
    pub actions: Vec<&'static str>,
    pub reach: Reach,
    pub mentions: Mentions,
    pub place: Place,
    /// Its text in the file, in bytes.
    pub span: Range<usize>,
}

impl Stated {
    pub fn is_permit(&self) -> bool {
        self.pst.effect == Effect::Permit
    }

    /// True where a thread's usual stack may not do.
    pub fn is_large(&self) -> bool {
        exceeds(&self.cedar.to_string(), LARGE_DEPTH, LARGE_OPERATORS).is_some()
    }

    /// True for masks that no column type is at odds with.
    pub fn fits_everything(&self) -> bool {
        matches!(self.mask, Mask::Clear | Mask::Redact | Mask::Null | Mask::Hidden)
    }

    pub fn is_about(&self, action: &str) -> bool {
        self.actions.contains(&action)
    }
}

/// A file's text, for places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Text<'_> {
    /// The place of a byte offset.
    pub fn place(&self, offset: usize) -> Place {
        Place::at_offset(self.file, self.text, offset)
    }
}

/// One policy of a file with the span of its text.
pub(super) struct Part {
    pub cedar: Policy,
    pub start: usize,
    pub source: String,
}

const MAX_DEPTH: usize = 40;
const MAX_OPERATORS: usize = 200;
/// `then` inside `then`: partial evaluation takes twice as long for each of them.
const MAX_BRANCHES: usize = 8;
/// So does every `if` in a chain whose test the types decide, such as `resource is` another dataset.
const MAX_IFS: usize = 16;
/// From here on a policy is worked on with a stack of its own.
const LARGE_DEPTH: usize = 8;
const LARGE_OPERATORS: usize = 40;
/// Of a thread that works on what policies say: it is nested as deep as they are long and many.
pub const STACK_BYTES: usize = 64 << 20;

/// Where a policy grows beyond what recursion over its tree can bear: Cedar's parser does not look at the stack, and
/// one domain's file must not end the process for all.
fn exceeds(text: &str, max_depth: usize, max_operators: usize) -> Option<usize> {
    let (mut depth, mut operators, mut branches, mut ifs) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                while let Some((_, c)) = chars.next() {
                    match c {
                        '\\' => _ = chars.next(),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '/' if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                while chars.next().is_some_and(|(_, c)| c != '\n') {}
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ';' => (depth, operators, branches, ifs) = (0, 0, 0, 0),
            '|' | '&' | '!' | '+' | '-' | '*' | '.' | '=' | '<' | '>' | ':' => operators += 1,
            't' if is_word(text, at, "then") => (branches, ifs) = (branches + 1, ifs + 1),
            // `if` nests without a bracket.
            'e' if is_word(text, at, "else") => {
                operators += 1;
                branches = branches.saturating_sub(1);
            }
            _ => {}
        }
        // An operator is at most two of these characters.
        if depth > max_depth || operators > 2 * max_operators || branches > MAX_BRANCHES || ifs > MAX_IFS {
            return Some(at);
        }
    }
    None
}

/// Whether `word` stands at `at`, and is no part of a name.
fn is_word(text: &str, at: usize, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let (before, rest) = text.split_at_checked(at).unwrap_or_default();
    !before.ends_with(part) && rest.strip_prefix(word).is_some_and(|after| !after.starts_with(part))
}

/// Splits a file into its policies, in the order of the text.
///
/// # Errors
/// One finding for each place where the file is not Cedar, or holds a template.
pub(super) fn parse(text: Text<'_>) -> Result<Vec<Part>, Vec<Diagnostic>> {
    if let Some(offset) = exceeds(text.text, MAX_DEPTH, MAX_OPERATORS) {
        return Err(vec![
            Diagnostic::error(Kind::Invalid, "the policy is nested too deeply or has too many operators or branches")
                .hint(format!(
                    "at most {MAX_DEPTH} levels of brackets, {MAX_OPERATORS} operators, {MAX_IFS} `if` and {MAX_BRANCHES} `then` in `then`; \
                     use sets: `[…].contains(…)`"
                ))
                .at(text.place(offset)),
        ]);
    }
    let set: PolicySet = text.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors
            .iter()
            .map(|error| {
                let detail = DetailedError::from(error);
                cedar_finding(text, &detail, "the file is not valid Cedar")
            })
            .collect::<Vec<_>>()
    })?;
    if let Some(template) = set.templates().next() {
        let start = text.text.find(template.to_cedar().trim()).unwrap_or_default();
        return Err(vec![
            Diagnostic::error(Kind::Invalid, "policy templates are not supported")
                .hint("write the entity instead of `?principal` or `?resource`")
                .at(text.place(start)),
        ]);
    }
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| policy.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0));
    let mut cursor = 0;
    let mut parts = Vec::new();
    for policy in policies {
        let source = policy.to_string().trim().to_owned();
        let rest = text.text.get(cursor..).unwrap_or_default();
        let start = cursor + rest.find(&source).unwrap_or_default();
        cursor = start + source.len();
        parts.push(Part { cedar: policy.clone(), start, source });
    }
    Ok(parts)
}

/// A finding in Cedar's own words at Cedar's own place.
pub(super) fn cedar_finding(text: Text<'_>, detail: &DetailedError, lead: &str) -> Diagnostic {
    let offset = detail.source_locations.first().map_or(0, |location| location.loc.start);
    let mut finding =
        Diagnostic::error(Kind::Invalid, format!("{lead}: {}", lower_first(&detail.message))).at(text.place(offset));
    if let Some(help) = &detail.help {
        finding = finding.hint(lower_first(help));
    }
    finding
}

fn lower_first(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The id and mask of a policy.
///
/// # Errors
/// What is wrong with its annotations, and the hint.
pub(super) fn annotations(policy: &Policy, effect: Effect) -> Result<(String, Mask), Vec<(String, String)>> {
    let mut problems = Vec::new();
    let id = policy.annotation("id").unwrap_or_default().to_owned();
    if id.trim().is_empty() {
        problems
            .push(("the policy has no `@id`".to_owned(), "name it, for example `@id(\"analysts-read\")`".to_owned()));
    }
    for (name, _) in policy.annotations() {
        if !matches!(name, "id" | "mask") {
            problems.push((
                format!("`@{name}` is not an annotation of this mesh"),
                "annotations are `@id(\"…\")` and `@mask(\"…\")`".to_owned(),
            ));
        }
    }
    let mask = match (policy.annotation("mask").map(str::parse::<Mask>), effect) {
        (None, Effect::Permit) => Mask::Clear,
        (None, Effect::Forbid) => Mask::Hidden,
        (Some(Err(why)), _) => {
            problems.push(("the policy's mask cannot be read".to_owned(), why));
            Mask::Hidden
        }
        (Some(Ok(Mask::Hidden)), Effect::Permit) => {
            problems.push((
                "a permit cannot offer `hidden`".to_owned(),
                "leave the columns out of its condition, or write a forbid".to_owned(),
            ));
            Mask::Hidden
        }
        (Some(Ok(mask)), Effect::Forbid) if mask < Mask::Hash => {
            problems.push((
                format!("a forbid cannot cap at `{mask}`"),
                "a cap is one of `hash`, `redact`, `null`, `hidden`".to_owned(),
            ));
            Mask::Hidden
        }
        (Some(Ok(mask)), _) => mask,
    };
    if problems.is_empty() { Ok((id, mask)) } else { Err(problems) }
}

/// Runs work that recurses over large policies on a stack that holds them.
///
/// # Errors
/// The system gives no thread.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("no thread for a large policy: {error}"))?;
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}

pub(super) fn named(policy: &Policy, id: &str) -> Policy {
    policy.new_id(PolicyId::new(id))
}
