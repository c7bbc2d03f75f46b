//! One question: what may this principal see of this dataset?

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::DataType;
use cedar_policy::{Policy, PolicyId};

use super::condition::Condition;
use super::decision::{Clause, ColumnRules, Decision, Exposed, Rule};
use super::document::{Stated, with_room};
use super::entities::{Asked, Subject, product_tags};
use super::fit::{CellFacts, fits};
use super::mask::Mask;
use super::residual;
use super::scope::speaks_of;
use super::slice::{Class, Classes};
use super::store::{Guarded, PolicyStore, Prepared};
use crate::contract::Column;
use crate::identity::Principal;
use crate::mesh::{Product, TableEntry};
use crate::name::ColumnPath;

/// What policy is asked about a product as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductAction {
    /// To know that it exists.
    Discover,
    /// To see the values in its policies.
    Audit,
    /// To publish changes of its contract and policies.
    Edit,
}

impl ProductAction {
    pub const ALL: [Self; 3] = [Self::Discover, Self::Audit, Self::Edit];

    /// As Cedar spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Audit => "audit",
            Self::Edit => "edit",
        }
    }
}

impl PolicyStore {
    /// What policy says of one principal and one dataset. `now` is in milliseconds since the epoch.
    ///
    /// Whatever goes wrong hides the dataset; the reason is in the decision, for the audit and the log.
    pub fn authorize(&self, principal: &Principal, purpose: &str, now: i64, entry: &TableEntry) -> Decision {
        let outcome = self.roomy(|| self.decide(principal, purpose, now, entry));
        match outcome {
            Ok(exposed) if exposed.columns.iter().any(|column| !column.offers.is_empty()) => Decision::Exposed(exposed),
            Ok(exposed) => {
                Decision::Hidden { why: "no policy shows any of it".to_owned(), reads_clock: exposed.reads_clock }
            }
            Err(why) => {
                tracing::warn!(table = %entry.table, principal = %principal.name(), %why, "dataset denied");
                Decision::Hidden { why, reads_clock: false }
            }
        }
    }

    /// May this principal do this to the product? Nothing else implies it; a satisfied `read` lets the product be discovered too.
    pub fn may(
        &self,
        action: ProductAction,
        principal: &Principal,
        purpose: &str,
        now: i64,
        product: &Product,
    ) -> bool {
        self.roomy(|| self.satisfied(action.name(), principal, (purpose, now), product)).unwrap_or_else(|why| {
            tracing::warn!(product = %product.name, principal = %principal.name(), %why, "{} denied", action.name());
            false
        })
    }

    /// True where some permit speaks of the action at all.
    pub fn permits_some(&self, action: ProductAction) -> bool {
        self.policies.iter().any(|policy| policy.is_permit() && policy.is_about(action.name()))
    }

    pub(super) fn roomy<T: Send>(&self, work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
        if self.large { with_room(work)? } else { work() }
    }

    fn satisfied(
        &self,
        action: &str,
        principal: &Principal,
        session: (&str, i64),
        product: &Product,
    ) -> Result<bool, String> {
        if self.refuses_to_serve {
            return Err("a governance file is not valid Cedar".to_owned());
        }
        if let Some(why) = self.refused(|reach| reach.product(&product.name)) {
            return Err(why.to_owned());
        }
        let policies: Vec<&Stated> = self
            .policies
            .iter()
            .filter(|policy| policy.is_about(action) && policy.reach.product(&product.name))
            .filter(|policy| speaks_of(&policy.pst.principal, principal))
            .collect();
        if !policies.iter().any(|policy| policy.is_permit()) {
            return Ok(false);
        }
        let schema = self.products.get_or_init(|| {
            let others = self.policies.iter().flat_map(|policy| policy.mentions.row_types.clone()).collect();
            self.base.products(&others)
        });
        let schema = schema.as_ref().map_err(Clone::clone)?;
        let subject = Subject::product(schema, product)?;
        let asked = Asked::new(&self.mesh, schema, principal, &subject, session)?;
        let request = asked.request(action, None)?;
        let set = PolicyStore::set(policies.iter().map(|policy| &policy.cedar))?;
        let response = set.tpe(&request, &asked.entities, schema).map_err(|error| error.to_string())?;
        if response.error_permits().next().is_some() || response.error_forbids().next().is_some() {
            return Err("a policy fails for this caller".to_owned());
        }
        // Nothing is unknown here, so a residual means that something went wrong: it permits nothing and forbids all.
        let forbidden = response.true_forbids().next().is_some() || response.residual_forbids().next().is_some();
        Ok(!forbidden && response.true_permits().next().is_some())
    }

    fn decide(&self, principal: &Principal, purpose: &str, now: i64, entry: &TableEntry) -> Result<Exposed, String> {
        if self.refuses_to_serve {
            return Err("a governance file is not valid Cedar".to_owned());
        }
        let guarded =
            self.tables.get(&entry.table).ok_or("the dataset is not one that these policies were checked for")?;
        if let Some(why) = &guarded.denied {
            return Err(why.clone());
        }
        let Some(question) = self.question(principal, (purpose, now), guarded)? else {
            return Ok(Exposed { columns: Vec::new(), policies: Vec::new(), reads_clock: false });
        };
        let columns = question.columns()?;
        let rules = columns.iter().flat_map(|column| column.offers.iter().chain(column.caps.iter()));
        let named: BTreeSet<&str> = rules.flat_map(|rule| rule.when.iter().map(|clause| &*clause.policy)).collect();
        Ok(Exposed {
            policies: named.into_iter().map(ToOwned::to_owned).collect(),
            columns,
            reads_clock: question.policies.iter().any(|(policy, _)| policy.mentions.clock),
        })
    }

    /// What is to be asked; nothing where no permit is about the principal.
    pub(super) fn question<'a>(
        &'a self,
        principal: &Principal,
        session: (&str, i64),
        guarded: &'a Guarded,
    ) -> Result<Option<Question<'a>>, String> {
        let about = guarded.about(principal, &self.policies);
        let policies: Vec<(usize, &Stated)> =
            about.into_iter().filter_map(|at| Some((at, self.policies.get(at)?))).collect();
        if !policies.iter().any(|(_, policy)| policy.is_permit()) {
            return Ok(None);
        }
        let prepared = guarded.prepared(self)?;
        let asked = Asked::new(&self.mesh, &prepared.schema, principal, &prepared.subject, session)?;
        let policies = policies.iter().map(|(at, policy)| (*policy, prepared.classes(*at, policy))).collect();
        Ok(Some(Question { guarded, prepared, asked, policies }))
    }
}

pub(super) struct Question<'a> {
    guarded: &'a Guarded,
    pub(super) prepared: &'a Prepared,
    asked: Asked<'a>,
    /// Those whose heads are about the principal, with how each tells the columns apart.
    pub(super) policies: Vec<(&'a Stated, Arc<Classes>)>,
}

/// A policy of the question, by its place there, and one of its classes of columns.
pub(super) type Part = (usize, usize);

/// What each policy leaves of each class of columns, as far as it was asked.
pub(super) type Answers = HashMap<Part, Arc<Condition>>;

type OffersAndCaps = (Arc<[Rule]>, Arc<[Rule]>);

/// What policies leave of one group of columns that look alike to them.
#[derive(Default)]
struct Verdict {
    offers: BTreeMap<Mask, Vec<Clause>>,
    caps: BTreeMap<Mask, Vec<Clause>>,
    /// Of columns of a type that the same offers fit.
    rules: HashMap<Vec<bool>, OffersAndCaps>,
}

impl Question<'_> {
    fn columns(&self) -> Result<Vec<ColumnRules>, String> {
        let columns = self.prepared.columns.iter().enumerate();
        let columns = columns.map(|(at, facts)| Ok((self.parts(at).ok_or("a column has no class")?, facts)));
        let columns: Vec<(Vec<Part>, &CellFacts)> = columns.collect::<Result<_, &str>>()?;
        let leaves = self.guarded.entry.dataset().leaves();
        if leaves.len() != columns.len() {
            return Err("a column is not known to policy".to_owned());
        }
        let mut answers = self.answered(&columns)?;
        let mut verdicts: HashMap<&[Part], Verdict> = HashMap::new();
        let mut out = Vec::with_capacity(leaves.len());
        for ((path, column), (parts, facts)) in leaves.into_iter().zip(&columns) {
            let verdict = match verdicts.entry(parts) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => free.insert(self.verdict(parts, facts, &mut answers)?),
            };
            let (offers, caps) = verdict.of_type(&column.data_type);
            out.push(ColumnRules { path, offers, caps });
        }
        Ok(out)
    }

    /// The policies that can apply to a column.
    fn parts(&self, column: usize) -> Option<Vec<Part>> {
        let mut parts = Vec::with_capacity(self.policies.len());
        for (at, (_, classes)) in self.policies.iter().enumerate() {
            let class = *classes.of_column.get(column)?;
            if !matches!(classes.each.get(class)?, Class::Never) {
                parts.push((at, class));
            }
        }
        Some(parts)
    }

    /// Asks at once whatever is left of policies whose questions about the column are answered: no part of it looks at the column
    /// that the request has to have.
    fn answered(&self, columns: &[(Vec<Part>, &CellFacts)]) -> Result<Answers, String> {
        let Some((_, any)) = columns.first() else { return Ok(Answers::new()) };
        let parts: BTreeSet<Part> = columns.iter().flat_map(|(parts, _)| parts).copied().collect();
        let policy = |part: Part| match self.class(part)? {
            Class::Answered(policy) => Some((part, policy.as_ref())),
            Class::Never | Class::Open => None,
        };
        self.ask(&parts.into_iter().filter_map(policy).collect::<Vec<_>>(), any)
    }

    fn class(&self, (at, class): Part) -> Option<&Class> {
        self.policies.get(at)?.1.each.get(class)
    }

    /// Asks those policies that have not answered for a column of this kind.
    fn verdict(&self, parts: &[Part], facts: &CellFacts, answers: &mut Answers) -> Result<Verdict, String> {
        let open = parts.iter().filter(|part| !answers.contains_key(*part));
        let open = open.filter_map(|part| Some((*part, &self.policies.get(part.0)?.0.cedar)));
        answers.extend(self.ask(&open.collect::<Vec<_>>(), facts)?);
        let mut verdict = Verdict::default();
        for part in parts {
            let (policy, _) = self.policies.get(part.0).ok_or("a policy was not asked")?;
            let condition = answers.get(part).ok_or_else(|| format!("policy `{}` was not asked", policy.id))?;
            verdict.add(policy, condition);
        }
        for clauses in verdict.offers.values_mut().chain(verdict.caps.values_mut()) {
            clauses.sort_by(|a, b| a.policy.cmp(&b.policy));
        }
        Ok(verdict)
    }

    /// What these policies leave; `false` where one cannot be satisfied.
    pub(super) fn ask(&self, policies: &[(Part, &Policy)], facts: &CellFacts) -> Result<Answers, String> {
        if policies.is_empty() {
            return Ok(Answers::new());
        }
        let schema = &self.prepared.schema;
        let set = PolicyStore::set(policies.iter().map(|(_, policy)| *policy))?;
        let request = self.asked.request("read", Some(facts))?;
        let response = set.tpe(&request, &self.asked.entities, schema).map_err(|error| error.to_string())?;
        let parts: HashMap<&PolicyId, Part> = policies.iter().map(|(part, policy)| (policy.id(), *part)).collect();
        let part = |id: &PolicyId| parts.get(id).copied().ok_or_else(|| format!("policy `{id}` was not asked"));
        let name = |id: &PolicyId| -> Result<&str, String> {
            let (at, _) = part(id)?;
            self.policies.get(at).map(|(policy, _)| policy.id.as_str()).ok_or_else(|| format!("there is no `{id}`"))
        };
        // Cedar skips a policy that fails, so a forbid would vanish.
        if let Some(id) = response.error_permits().chain(response.error_forbids()).next() {
            return Err(format!("policy `{}` fails for this caller", name(id)?));
        }
        let never = Arc::new(Condition::Const(false));
        let mut found: Answers = policies.iter().map(|(part, _)| (*part, Arc::clone(&never))).collect();
        let always = Arc::new(Condition::Const(true));
        for id in response.true_permits().chain(response.true_forbids()) {
            found.insert(part(id)?, Arc::clone(&always));
        }
        for residual in response.residual_policies() {
            let condition = residual::condition(&residual, &self.prepared.row)
                .map_err(|why| format!("policy `{}`: {why}", name(residual.id()).unwrap_or_default()))?;
            found.insert(part(residual.id())?, Arc::new(condition));
        }
        Ok(found)
    }
}

impl Verdict {
    fn add(&mut self, policy: &Stated, condition: &Arc<Condition>) {
        if **condition == Condition::Const(false) {
            return;
        }
        let rules = if policy.is_permit() { &mut self.offers } else { &mut self.caps };
        let clause = Clause { policy: policy.id.as_str().into(), condition: Arc::clone(condition) };
        rules.entry(policy.mask).or_default().push(clause);
    }

    /// The rules of a column of this type: offers that fit it, without those that another always outdoes.
    fn of_type(&mut self, data_type: &DataType) -> OffersAndCaps {
        let fitting: Vec<bool> = self.offers.keys().map(|mask| fits(*mask, data_type)).collect();
        if let Some(known) = self.rules.get(&fitting) {
            return known.clone();
        }
        let offered = self.offers.iter().zip(&fitting).filter(|(_, fits)| **fits).map(|(offer, _)| offer);
        let (mut offers, mut caps) = (until_certain(offered), until_certain(self.caps.iter().rev()));
        let hidden = caps.first().is_some_and(|rule| rule.mask == Mask::Hidden && is_certain(&rule.when));
        if offers.is_empty() || hidden {
            offers.clear();
            caps.clear();
        }
        let rules: OffersAndCaps = (offers.into(), caps.into());
        self.rules.insert(fitting, rules.clone());
        rules
    }
}

fn until_certain<'a>(rules: impl Iterator<Item = (&'a Mask, &'a Vec<Clause>)>) -> Vec<Rule> {
    let mut out = Vec::new();
    for (mask, when) in rules {
        out.push(Rule { mask: *mask, when: when.clone() });
        if is_certain(when) {
            break;
        }
    }
    out
}

fn is_certain(when: &[Clause]) -> bool {
    when.iter().any(|clause| *clause.condition == Condition::Const(true))
}

impl CellFacts {
    pub(super) fn new(product: &Product, path: &ColumnPath, column: &Column) -> Self {
        Self {
            name: path.to_string(),
            tags: column.tags.iter().map(ToString::to_string).collect(),
            classification: column.classification.to_string(),
            product: product.name.to_string(),
            product_tags: product_tags(product),
            product_classification: product.contract.classification.to_string(),
            product_status: product.contract.status.as_str().to_owned(),
            product_version: product.contract.version.to_string(),
        }
    }
}
