//! Reading Cedar's syntax tree.

use cedar_policy::pst::{BinaryOp, Expr, PatternElem, UnaryOp, Var};

pub(super) fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::UnaryOp { expr, .. }
        | Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::Like { expr, .. } => vec![expr],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Is { expr, in_expr, .. } => std::iter::once(expr).chain(in_expr).map(AsRef::as_ref).collect(),
        Expr::IfThenElse { cond, then_expr, else_expr } => vec![cond, then_expr, else_expr],
        Expr::Set(items) => items.iter().map(AsRef::as_ref).collect(),
        Expr::Record(fields) => fields.values().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn reads_row(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Resource)) || children(expr).into_iter().any(reads_row)
}

/// The variable and the names of a chain of attributes.
pub(super) fn path_of(expr: &Expr) -> Option<(Var, Vec<&str>)> {
    match expr {
        Expr::Var(var) => Some((var.clone(), Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (var, mut path) = path_of(expr)?;
            path.push(attr.as_str());
            Some((var, path))
        }
        _ => None,
    }
}

/// `resource` in `resource.x`, `resource has x`, `resource is t` and `resource in e` is no value of its own.
pub(super) fn is_only_asked(parent: &Expr, child: &Expr) -> bool {
    let asked = match parent {
        Expr::GetAttr { expr, .. } | Expr::HasAttr { expr, .. } | Expr::Is { expr, .. } => expr,
        Expr::BinaryOp { op: BinaryOp::In, left, .. } => left,
        _ => return false,
    };
    matches!(child, Expr::Var(Var::Resource)) && std::ptr::eq(asked.as_ref(), child)
}

pub(super) fn plain_unary(op: UnaryOp) -> bool {
    matches!(
        op,
        UnaryOp::Not
            | UnaryOp::Neg
            | UnaryOp::IsEmpty
            | UnaryOp::Datetime
            | UnaryOp::Decimal
            | UnaryOp::Duration
            | UnaryOp::Ip
    )
}

/// Cedar's `like`, in time of pattern × text.
pub(super) fn matches(pattern: &[PatternElem], text: &str) -> bool {
    // reachable[i]: the pattern so far can have used the first i characters.
    let text: Vec<char> = text.chars().collect();
    let mut reachable = vec![false; text.len() + 1];
    if let Some(start) = reachable.first_mut() {
        *start = true;
    }
    for element in pattern {
        let mut before = false;
        let mut next = Vec::with_capacity(reachable.len());
        for (at, here) in reachable.iter().enumerate() {
            next.push(match element {
                PatternElem::Wildcard => {
                    before |= *here;
                    before
                }
                PatternElem::Char(c) => {
                    let matched = before && at.checked_sub(1).and_then(|last| text.get(last)) == Some(c);
                    before = *here;
                    matched
                }
            });
        }
        reachable = next;
    }
    reachable.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_cedars() {
        let pattern = |text: &str| -> Vec<PatternElem> {
            text.chars().map(|c| if c == '*' { PatternElem::Wildcard } else { PatternElem::Char(c) }).collect()
        };
        for (like, text, expect) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abcb", false),
            ("a*b*", "acbd", true),
            ("abc", "ab", false),
            ("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(&pattern(like), text), expect, "{like} {text}");
        }
    }
}
