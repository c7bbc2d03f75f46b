//! One question: what may this principal see of this dataset?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::DataType;
use cedar_policy::PolicyId;

use super::condition::Condition;
use super::decision::{Clause, ColumnRules, Decision, Exposed, Rule};
use super::document::{Stated, with_room};
use super::entities::{Asked, Subject, product_tags};
use super::fit::{CellFacts, fits};
use super::mask::Mask;
use super::plan::{Asking, Part, Plan};
use super::residual;
use super::scope::speaks_of;
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
        let set = Self::set(policies.iter().map(|policy| &policy.cedar))?;
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
            reads_clock: question.stated().any(|policy| policy.mentions.clock),
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
        let mut stated = about.iter().filter_map(|at| self.policies.get(*at));
        if !stated.any(Stated::is_permit) {
            return Ok(None);
        }
        let prepared = guarded.prepared(self)?;
        let plan = prepared.plan(about.into_iter().collect(), self)?;
        let asked = Asked::new(&self.mesh, &prepared.schema, principal, &prepared.subject, session)?;
        Ok(Some(Question { store: self, guarded, prepared, plan, asked }))
    }
}

pub(super) struct Question<'a> {
    store: &'a PolicyStore,
    guarded: &'a Guarded,
    pub(super) prepared: &'a Prepared,
    pub(super) plan: Arc<Plan>,
    asked: Asked<'a>,
}

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
        let leaves = self.guarded.entry.dataset().leaves();
        if leaves.len() != self.plan.of_column.len() {
            return Err("a column is not known to policy".to_owned());
        }
        let mut answers = self.ask(&self.plan.answered, 0)?;
        for group in &self.plan.groups {
            answers.extend(self.ask(&group.open, group.column)?);
        }
        let verdicts = self.plan.groups.iter().map(|group| self.verdict(&group.parts, &answers));
        let mut verdicts: Vec<Verdict> = verdicts.collect::<Result<_, String>>()?;
        let mut out = Vec::new();
        // What has no type can be shown to nobody.
        let leaves = leaves.into_iter().zip(&self.plan.of_column).filter(|((_, column), _)| column.is_served());
        for ((path, column), group) in leaves {
            let verdict = verdicts.get_mut(*group).ok_or("a column has no group")?;
            let (offers, caps) = verdict.of_type(&column.data_type);
            out.push(ColumnRules { path, offers, caps });
        }
        Ok(out)
    }

    /// The policies that are asked.
    fn stated(&self) -> impl Iterator<Item = &Stated> {
        self.plan.policies.iter().filter_map(|(at, _)| self.store.policies.get(*at))
    }

    pub(super) fn policy(&self, (at, _): Part) -> Result<&Stated, String> {
        let at = self.plan.policies.get(at).map(|(at, _)| *at);
        at.and_then(|at| self.store.policies.get(at)).ok_or_else(|| "there is no such policy".to_owned())
    }

    fn verdict(&self, parts: &[Part], answers: &Answers) -> Result<Verdict, String> {
        let mut verdict = Verdict::default();
        for part in parts {
            let policy = self.policy(*part)?;
            let condition = answers.get(part).ok_or_else(|| format!("policy `{}` was not asked", policy.id))?;
            verdict.add(policy, condition);
        }
        for clauses in verdict.offers.values_mut().chain(verdict.caps.values_mut()) {
            clauses.sort_by(|a, b| a.policy.cmp(&b.policy));
        }
        Ok(verdict)
    }

    /// What these policies leave of a column; `false` where one cannot be satisfied.
    pub(super) fn ask(&self, asking: &Asking, column: usize) -> Result<Answers, String> {
        if asking.parts.is_empty() {
            return Ok(Answers::new());
        }
        let facts = self.prepared.columns.get(column).ok_or("a column is not known to policy")?;
        let schema = &self.prepared.schema;
        let request = self.asked.request("read", Some(facts))?;
        let response = asking.set.tpe(&request, &self.asked.entities, schema).map_err(|error| error.to_string())?;
        let part = |id: &PolicyId| asking.parts.get(id).copied().ok_or_else(|| format!("policy `{id}` was not asked"));
        let name = |id: &PolicyId| part(id).and_then(|part| self.policy(part)).map(|policy| policy.id.as_str());
        // Cedar skips a policy that fails, so a forbid would vanish.
        if let Some(id) = response.error_permits().chain(response.error_forbids()).next() {
            return Err(format!("policy `{}` fails for this caller", name(id)?));
        }
        let never = Arc::new(Condition::Const(false));
        let mut found: Answers = asking.parts.values().map(|part| (*part, Arc::clone(&never))).collect();
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
