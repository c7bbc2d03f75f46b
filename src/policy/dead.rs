//! Policies that say nothing: those that can never apply, and permits that a forbid always hides.
//!
//! Only what is certain is told. A policy is read cell by cell, with the column known and principal, row and session unknown:
//! it never applies where one of its conditions is false given the others, and a permit is overridden where a forbid that hides
//! holds whenever the permit does.

use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, Clause, EntityOrSlot, Expr, Literal, PrincipalConstraint, UnaryOp, Var};

use super::document::Stated;
use super::fit::{CellFacts, Given, fits};
use super::mask::Mask;
use super::store::{Guarded, PolicyStore};
use crate::diagnostic::{Diagnostic, Kind};
use crate::mesh::Snapshot;

impl PolicyStore {
    /// A warning for each policy that says nothing.
    pub fn dead(&self, snapshot: &Snapshot) -> Vec<Diagnostic> {
        let found = self.roomy(|| {
            let policies = self.policies.iter().enumerate();
            Ok(policies.filter_map(|(at, policy)| self.dead_policy(at, policy, snapshot)).collect())
        });
        found.unwrap_or_else(|why| {
            let message = format!("policies that can never apply were not looked for: {why}");
            vec![Diagnostic::warning(Kind::Internal, message)]
        })
    }

    fn dead_policy(&self, at: usize, policy: &Stated, snapshot: &Snapshot) -> Option<Diagnostic> {
        let finding = |message: String, hint: &str| {
            Some(Diagnostic::warning(Kind::Invalid, message).hint(hint).at(policy.place.clone()))
        };
        let id = &policy.id;
        if self.findings.iter().any(|known| known.place.as_ref() == Some(&policy.place)) {
            // Something worse, or the same by Cedar's own validator, is said of it.
            return None;
        }
        if !self.reaches_something(policy, snapshot) {
            let message = format!("policy `{id}` can never apply: nothing that is served is what its head speaks of");
            return finding(message, "check the resource and the actions of its head, and the status of the contracts");
        }
        if policy.actions != ["read"] {
            return None;
        }
        let mut tables = self
            .tables
            .values()
            .filter(|guarded| policy.reach.rows(&guarded.product().name, guarded.entry.dataset().name.as_str()))
            .peekable();
        tables.peek()?;
        let own = conditions(policy);
        let (mut applies, mut open) = (false, false);
        let mut by = BTreeSet::new();
        for guarded in tables {
            if guarded.denied.is_some() || !guarded.policies.contains(&at) {
                return None;
            }
            for (path, column) in guarded.entry.dataset().leaves() {
                let facts = CellFacts::new(guarded.product(), &path, column);
                if !fits(policy.mask, &column.data_type) || contradicts(&own, &facts) {
                    continue;
                }
                applies = true;
                match self.hiding(guarded, &own, &facts) {
                    Some(forbid) => _ = by.insert(forbid),
                    None => open = true,
                }
            }
        }
        if !applies {
            let message = format!("policy `{id}` can never apply");
            return finding(
                message,
                "its conditions are false, or contradict each other, for every column that it reaches",
            );
        }
        if policy.is_permit() && !open {
            let by = by.into_iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
            let message = format!("policy `{id}` is always overridden by {by}");
            return finding(message, "every cell that it permits is hidden there; drop it, or narrow the forbid");
        }
        None
    }

    /// True where a dataset or product is, or may again be, what the head speaks of.
    fn reaches_something(&self, policy: &Stated, snapshot: &Snapshot) -> bool {
        let broken = |domain: &str| snapshot.faults.iter().any(|fault| fault.domain.as_str() == domain);
        let rows = policy.is_about("read")
            && self
                .tables
                .values()
                .any(|guarded| policy.reach.rows(&guarded.product().name, guarded.entry.dataset().name.as_str()));
        let products = policy.actions.iter().any(|action| *action != "read")
            && snapshot.products.iter().any(|product| policy.reach.product(&product.name));
        rows || products || policy.reach.domain_name().map_or(!snapshot.faults.is_empty(), broken)
    }

    /// A forbid that hides the cell whenever all these conditions hold.
    fn hiding<'a>(&'a self, guarded: &Guarded, own: &[(Expr, bool)], facts: &CellFacts) -> Option<&'a str> {
        let given = Given(own.iter().map(|(expr, holds)| (expr, *holds)).collect());
        let forbids = guarded.policies.iter().filter_map(|at| self.policies.get(*at));
        let mut hiding = forbids.filter(|forbid| !forbid.is_permit() && forbid.mask == Mask::Hidden);
        let covers = hiding.find(|forbid| {
            conditions(forbid).iter().all(|(expr, holds)| facts.truth(expr, &given, &mut false) == Some(*holds))
        });
        covers.map(|forbid| forbid.id.as_str())
    }
}

/// What must hold for a policy to apply, beside the resource that its head names: each part with the value it must have.
fn conditions(policy: &Stated) -> Vec<(Expr, bool)> {
    let mut out = Vec::new();
    if let PrincipalConstraint::In(target) | PrincipalConstraint::IsIn(_, target) | PrincipalConstraint::Eq(target) =
        &policy.pst.principal
        && let EntityOrSlot::Entity(uid) = target
    {
        let op = if matches!(policy.pst.principal, PrincipalConstraint::Eq(_)) { BinaryOp::Eq } else { BinaryOp::In };
        let left = Expr::Var(Var::Principal).into();
        out.push((Expr::BinaryOp { op, left, right: Expr::Literal(Literal::EntityUID(uid.clone())).into() }, true));
    }
    for clause in policy.pst.clauses() {
        match clause {
            Clause::When(expr) => split(expr, true, &mut out),
            Clause::Unless(expr) => split(expr, false, &mut out),
        }
    }
    out
}

fn split(expr: &Expr, holds: bool, out: &mut Vec<(Expr, bool)>) {
    match (expr, holds) {
        (Expr::BinaryOp { op: BinaryOp::And, left, right }, true)
        | (Expr::BinaryOp { op: BinaryOp::Or, left, right }, false) => {
            split(left, holds, out);
            split(right, holds, out);
        }
        (Expr::UnaryOp { op: UnaryOp::Not, expr }, _) => split(expr, !holds, out),
        _ => out.push((expr.clone(), holds)),
    }
}

/// True where the conditions cannot all hold.
fn contradicts(conditions: &[(Expr, bool)], facts: &CellFacts) -> bool {
    conditions.iter().enumerate().any(|(at, (expr, holds))| {
        let others = conditions.iter().enumerate().filter(|(other, _)| *other != at);
        let given = Given(others.map(|(_, (expr, holds))| (expr, *holds)).collect());
        facts.truth(expr, &given, &mut false) == Some(!holds)
    })
}
