//! What need not be asked: policies whose head is about somebody else, and columns that a policy cannot tell apart.
//!
//! Cedar type-checks every policy that it evaluates, so the cost of a decision is the number of policies asked times the number of
//! times each is asked, and each time has its own request. All are read off the syntax tree here, once for each dataset: what a policy
//! asks of the column is answered, so that one request does for all of them. What is not understood is asked.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::Policy;
use cedar_policy::pst::{self, BinaryOp, Clause, Expr, Literal, PolicyID, StaticPolicy, Template, UnaryOp, Var};

use super::document::Stated;
use super::fit::{Applies, CellFacts, applies};
use super::scope::{Audience, audience};
use super::syntax::{children, path_of};
use crate::identity::Principal;

/// Policies by whom their heads are about, as indices into the store's.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    anyone: Vec<usize>,
    roles: HashMap<String, Vec<usize>>,
    users: HashMap<String, Vec<usize>>,
}

impl Audiences {
    pub fn of(indices: &[usize], policies: &[Stated]) -> Self {
        let mut out = Self::default();
        for at in indices {
            let Some(policy) = policies.get(*at) else { continue };
            match audience(&policy.pst.principal) {
                Audience::Anyone => out.anyone.push(*at),
                Audience::Role(name) => out.roles.entry(name).or_default().push(*at),
                Audience::User(name) => out.users.entry(name).or_default().push(*at),
                Audience::Nobody => {}
            }
        }
        out
    }

    /// Those that can hold for this principal, in the order of the store.
    pub fn of_principal(&self, principal: &Principal) -> BTreeSet<usize> {
        let roles = principal.roles().iter().filter_map(|role| self.roles.get(role.as_str()));
        let user = self.users.get(principal.name().as_str());
        self.anyone.iter().chain(roles.flatten()).chain(user.into_iter().flatten()).copied().collect()
    }
}

/// The columns of one dataset as one policy tells them apart.
#[derive(Debug)]
pub(super) struct Classes {
    /// The class of each leaf column, in the contract's order.
    pub of_column: Vec<usize>,
    pub each: Vec<Class>,
}

/// What a policy is to columns of one class.
#[derive(Debug)]
pub(super) enum Class {
    /// It cannot apply, whoever asks and whatever the row.
    Never,
    /// What is left of it, its questions about the column being answered.
    Answered(Box<Policy>),
    /// It has to be asked about a column of the class.
    Open,
}

/// What a policy is told of a column when it asks one thing.
#[derive(PartialEq, Eq, Hash)]
enum Answer {
    Known(bool),
    /// The question is not understood: all that it could see.
    Facts(String, BTreeSet<String>, String),
}

impl Classes {
    pub fn of(policy: &Stated, columns: &[CellFacts]) -> Self {
        let mut questions = Vec::new();
        for clause in policy.pst.clauses() {
            let (Clause::When(expr) | Clause::Unless(expr)) = clause;
            ask(expr, &mut questions);
        }
        let mut known: HashMap<Vec<Answer>, usize> = HashMap::new();
        let (mut of_column, mut each) = (Vec::with_capacity(columns.len()), Vec::new());
        for facts in columns {
            let answer = |question: &&Expr| match facts.atom(question) {
                Some(answer) => Answer::Known(answer),
                None => Answer::Facts(facts.name.clone(), facts.tags.clone(), facts.classification.clone()),
            };
            let next = known.len();
            let class = *known.entry(questions.iter().map(answer).collect()).or_insert(next);
            if class == next {
                each.push(Class::of(policy, facts, class));
            }
            of_column.push(class);
        }
        Self { of_column, each }
    }
}

impl Class {
    fn of(stated: &Stated, facts: &CellFacts, class: usize) -> Self {
        let policy = &stated.pst;
        if applies(policy, facts) == Applies::Never {
            return Self::Never;
        }
        let known = |question: &Expr| facts.atom(question).map(|answer| Expr::Literal(Literal::Bool(answer)));
        let clauses = policy.clauses().iter().map(|clause| match clause {
            Clause::When(expr) => answered(expr, &known).map(Clause::When),
            Clause::Unless(expr) => answered(expr, &known).map(Clause::Unless),
        });
        let Some(clauses) = clauses.collect::<Option<Vec<_>>>() else { return Self::Open };
        // There may be any character in the name of a policy.
        let id = PolicyID(format!("{class} {}", stated.id).into());
        let head =
            Template::new(id, policy.effect, policy.principal.clone(), policy.action.clone(), policy.resource.clone());
        head.try_with_clauses(clauses)
            .ok()
            .and_then(|left| StaticPolicy::try_from(left).ok())
            .and_then(|left| Policy::from_pst(pst::Policy::Static(left)).ok())
            .map_or(Self::Open, |left| Self::Answered(Box::new(left)))
    }
}

/// The condition with its questions about the column answered; nothing where one is not understood.
fn answered(expr: &Arc<Expr>, known: &impl Fn(&Expr) -> Option<Expr>) -> Option<Arc<Expr>> {
    let part = |expr: &Arc<Expr>| answered(expr, known);
    Some(match expr.as_ref() {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => Arc::new(Expr::UnaryOp { op: UnaryOp::Not, expr: part(expr)? }),
        Expr::BinaryOp { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
            Arc::new(Expr::BinaryOp { op: *op, left: part(left)?, right: part(right)? })
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            Arc::new(Expr::IfThenElse { cond: part(cond)?, then_expr: part(then_expr)?, else_expr: part(else_expr)? })
        }
        question if sees_column(question) => Arc::new(known(question)?),
        _ => Arc::clone(expr),
    })
}

/// The questions about the column that a condition is made of.
fn ask<'a>(expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    match expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => ask(expr, out),
        Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
            ask(left, out);
            ask(right, out);
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            for part in [cond, then_expr, else_expr] {
                ask(part, out);
            }
        }
        other if sees_column(other) => out.push(other),
        _ => {}
    }
}

/// True unless nothing below can depend on the column.
fn sees_column(expr: &Expr) -> bool {
    match (path_of(expr), expr) {
        (Some((Var::Context, path)), _) => path.first().is_none_or(|first| *first == "column"),
        (Some(_), _) | (None, Expr::Literal(_)) => false,
        (
            None,
            Expr::UnaryOp { .. }
            | Expr::BinaryOp { .. }
            | Expr::GetAttr { .. }
            | Expr::HasAttr { .. }
            | Expr::Like { .. }
            | Expr::Is { .. }
            | Expr::IfThenElse { .. }
            | Expr::Set(_)
            | Expr::Record(_),
        ) => children(expr).into_iter().any(sees_column),
        // A kind of expression that nobody has looked at.
        (None, _) => true,
    }
}
