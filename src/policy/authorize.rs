//! One question: what may this principal see of this dataset?

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::condition::Condition;
use super::decision::{Clause, ColumnRules, Decision, Exposed, Rule};
use super::document::{Stated, with_room};
use super::entities::{Asked, product_tags};
use super::fit::{CellFacts, fits};
use super::mask::Mask;
use super::residual;
use super::scope::speaks_of;
use super::slice::Classes;
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
        let set = Self::set(policies)?;
        let asked = Asked::product(&self.mesh, schema, principal, product, session)?;
        let request = asked.request(action, None, product, schema)?;
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
        let about = guarded.about(principal, &self.policies);
        let policies: Vec<(usize, &Stated)> =
            about.into_iter().filter_map(|at| Some((at, self.policies.get(at)?))).collect();
        if !policies.iter().any(|(_, policy)| policy.is_permit()) {
            return Ok(Exposed { columns: Vec::new(), policies: Vec::new(), reads_clock: false });
        }
        let prepared = guarded.prepared(&self.base)?;
        let session = (purpose, now);
        let kind = &prepared.row.kind;
        let question = Question {
            guarded,
            prepared,
            asked: Asked::rows(&self.mesh, &prepared.schema, principal, guarded.product(), kind, session)?,
            policies: policies.iter().map(|(at, policy)| (*policy, prepared.classes(*at, policy))).collect(),
        };
        let columns = question.columns()?;
        let named: BTreeSet<String> = columns
            .iter()
            .flat_map(|column| column.offers.iter().chain(&column.caps))
            .flat_map(|rule| rule.when.iter().map(|clause| clause.policy.clone()))
            .collect();
        Ok(Exposed {
            columns,
            policies: named.into_iter().collect(),
            reads_clock: policies.iter().any(|(_, policy)| policy.mentions.clock),
        })
    }
}

struct Question<'a> {
    guarded: &'a Guarded,
    prepared: &'a Prepared,
    asked: Asked,
    /// Those whose heads are about the principal, with how each tells the columns apart.
    policies: Vec<(&'a Stated, Arc<Classes>)>,
}

/// What policies leave of one group of columns that look alike to them.
#[derive(Default)]
struct Verdict {
    offers: BTreeMap<Mask, Vec<Clause>>,
    caps: BTreeMap<Mask, Vec<Clause>>,
}

/// What each policy leaves of each class of columns, as far as it was asked; `false` where it leaves nothing.
type Answers<'a> = HashMap<(&'a str, usize), Condition>;

impl Question<'_> {
    fn columns(&self) -> Result<Vec<ColumnRules>, String> {
        let mut answers = Answers::new();
        let mut verdicts: HashMap<Vec<usize>, Verdict> = HashMap::new();
        let mut columns = Vec::new();
        for (at, (path, column)) in self.guarded.entry.dataset().leaves().into_iter().enumerate() {
            let facts = self.prepared.columns.get(at).ok_or("a column is not known to policy")?;
            let class = |(_, classes): &(&Stated, Arc<Classes>)| classes.of_column.get(at).copied();
            let group: Vec<usize> =
                self.policies.iter().map(class).collect::<Option<_>>().ok_or("a column has no class")?;
            let verdict = match verdicts.entry(group) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    let verdict = self.verdict(free.key(), facts, &mut answers)?;
                    free.insert(verdict)
                }
            };
            columns.push(verdict.rules(path, column));
        }
        Ok(columns)
    }

    /// Asks those policies that have not answered for a column of this kind.
    fn verdict<'q>(&'q self, group: &[usize], facts: &CellFacts, answers: &mut Answers<'q>) -> Result<Verdict, String> {
        let each = || self.policies.iter().zip(group).map(|((policy, classes), class)| (*policy, classes, *class));
        let never = |classes: &Classes, class: usize| classes.never.get(class).copied().unwrap_or_default();
        let asked: Vec<&Stated> = each()
            .filter(|(policy, classes, class)| {
                !never(classes, *class) && !answers.contains_key(&(policy.id.as_str(), *class))
            })
            .map(|(policy, ..)| policy)
            .collect();
        let mut found = if asked.is_empty() { HashMap::new() } else { self.ask(&asked, facts)? };
        let mut verdict = Verdict::default();
        for (policy, classes, class) in each() {
            if never(classes, class) {
                continue;
            }
            let key = (policy.id.as_str(), class);
            let fresh = || found.remove(&policy.id).unwrap_or(Condition::Const(false));
            verdict.add(policy, answers.entry(key).or_insert_with(fresh).clone());
        }
        for clauses in verdict.offers.values_mut().chain(verdict.caps.values_mut()) {
            clauses.sort_by(|a, b| a.policy.cmp(&b.policy));
        }
        Ok(verdict)
    }

    /// What these policies leave, by id; nothing for those that cannot be satisfied.
    fn ask(&self, policies: &[&Stated], facts: &CellFacts) -> Result<HashMap<String, Condition>, String> {
        let schema = &self.prepared.schema;
        let set = PolicyStore::set(policies.iter().copied())?;
        let request = self.asked.request("read", Some(facts), self.guarded.product(), schema)?;
        let response = set.tpe(&request, &self.asked.entities, schema).map_err(|error| error.to_string())?;
        // Cedar skips a policy that fails, so a forbid would vanish.
        if let Some(id) = response.error_permits().chain(response.error_forbids()).next() {
            return Err(format!("policy `{id}` fails for this caller"));
        }
        let mut found = HashMap::new();
        for id in response.true_permits().chain(response.true_forbids()) {
            found.insert(known(policies, id.as_ref())?.id.clone(), Condition::Const(true));
        }
        for residual in response.residual_policies() {
            let policy = known(policies, residual.id().as_ref())?;
            let condition = residual::condition(&residual, &self.prepared.row)
                .map_err(|why| format!("policy `{}`: {why}", policy.id))?;
            found.insert(policy.id.clone(), condition);
        }
        Ok(found)
    }
}

fn known<'a>(policies: &[&'a Stated], id: &str) -> Result<&'a Stated, String> {
    policies.iter().copied().find(|policy| policy.id == id).ok_or_else(|| format!("policy `{id}` was not asked"))
}

impl Verdict {
    fn add(&mut self, policy: &Stated, condition: Condition) {
        if condition == Condition::Const(false) {
            return;
        }
        let rules = if policy.is_permit() { &mut self.offers } else { &mut self.caps };
        rules.entry(policy.mask).or_default().push(Clause { policy: policy.id.clone(), condition });
    }

    /// The rules of one column: offers that fit its type, without those that another always outdoes.
    fn rules(&self, path: ColumnPath, column: &Column) -> ColumnRules {
        let fitting = self.offers.iter().filter(|(mask, _)| fits(**mask, &column.data_type));
        let offers = until_certain(fitting);
        let caps = until_certain(self.caps.iter().rev());
        let hidden = caps.first().is_some_and(|rule| rule.mask == Mask::Hidden && is_certain(&rule.when));
        if offers.is_empty() || hidden {
            return ColumnRules { path, offers: Vec::new(), caps: Vec::new() };
        }
        ColumnRules { path, offers, caps }
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
    when.iter().any(|clause| clause.condition == Condition::Const(true))
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
