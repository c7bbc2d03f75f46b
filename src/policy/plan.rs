//! What is to be asked about one dataset, worked out once for all principals about whom the same policies are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{Policy, PolicyId, PolicySet};

use super::document::Stated;
use super::slice::{Class, Classes};
use super::store::{PolicyStore, Prepared};

/// A policy of the plan, by its place there, and one of its classes of columns.
pub(super) type Part = (usize, usize);

#[derive(Debug)]
pub(super) struct Plan {
    /// Indices of the store's policies, with how each tells the columns apart.
    pub policies: Vec<(usize, Arc<Classes>)>,
    pub groups: Vec<Group>,
    /// The group of each leaf column, in the contract's order.
    pub of_column: Vec<usize>,
    /// Whatever is left of policies whose questions about the column are answered: no part of it looks at the column that the request
    /// has to have.
    pub answered: Asking,
}

/// Columns that look alike to all policies of the plan.
#[derive(Debug)]
pub(super) struct Group {
    /// Those that can apply to them.
    pub parts: Vec<Part>,
    /// Those that have to be asked about such a column.
    pub open: Asking,
    /// The first of them.
    pub column: usize,
}

/// Policies that are asked at once.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub set: PolicySet,
    pub parts: HashMap<PolicyId, Part>,
}

impl Plan {
    pub fn of(about: &[usize], store: &PolicyStore, prepared: &Prepared) -> Result<Self, String> {
        let stated = about.iter().filter_map(|at| Some((*at, store.policies.get(*at)?)));
        let policies: Vec<(usize, &Stated, Arc<Classes>)> =
            stated.map(|(at, policy)| (at, policy, prepared.classes(at, policy))).collect();
        let mut known: HashMap<Vec<Part>, usize> = HashMap::new();
        let (mut groups, mut of_column) = (Vec::new(), Vec::with_capacity(prepared.columns.len()));
        let mut answered: BTreeSet<Part> = BTreeSet::new();
        for column in 0..prepared.columns.len() {
            let (mut parts, mut open) = (Vec::with_capacity(policies.len()), Vec::new());
            for (at, (_, policy, classes)) in policies.iter().enumerate() {
                let class = classes.of_column.get(column).copied().ok_or("a column has no class")?;
                match classes.each.get(class).ok_or("a column has no class")? {
                    Class::Never => continue,
                    Class::Answered(_) => drop(answered.insert((at, class))),
                    Class::Open => open.push(((at, class), &policy.cedar)),
                }
                parts.push((at, class));
            }
            let next = groups.len();
            let group = *known.entry(parts).or_insert_with_key(|parts| {
                groups.push((parts.clone(), open, column));
                next
            });
            of_column.push(group);
        }
        let left = answered.into_iter().filter_map(|part @ (at, class)| match policies.get(at)?.2.each.get(class)? {
            Class::Answered(policy) => Some((part, policy.as_ref())),
            Class::Never | Class::Open => None,
        });
        let answered = Asking::of(&left.collect::<Vec<_>>())?;
        let group = |(parts, open, column): (_, Vec<_>, _)| Ok(Group { parts, open: Asking::of(&open)?, column });
        Ok(Self {
            groups: groups.into_iter().map(group).collect::<Result<_, String>>()?,
            of_column,
            answered,
            policies: policies.into_iter().map(|(at, _, classes)| (at, classes)).collect(),
        })
    }
}

impl Asking {
    pub fn of(policies: &[(Part, &Policy)]) -> Result<Self, String> {
        let set = PolicyStore::set(policies.iter().map(|(_, policy)| *policy))?;
        Ok(Self { set, parts: policies.iter().map(|(part, policy)| (policy.id().clone(), *part)).collect() })
    }
}
