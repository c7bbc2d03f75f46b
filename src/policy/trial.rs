//! Which policies and conditions a test makes decide: each is asked, by Cedar, of every cell of the test's rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::util::display::array_value_to_string;
use cedar_policy::{Policy, PolicyId, PolicySet, RestrictedExpression};

use super::document::Stated;
use super::entities::{Asked, Subject};
use super::fit::CellFacts;
use super::literal;
use super::schema::{CellKind, cell_kind};
use super::scope::speaks_of;
use super::stated::StatedPolicy;
use super::store::{Guarded, PolicyStore, Prepared};
use crate::contract::Column;
use crate::identity::Principal;
use crate::mesh::TableEntry;

/// One way in which something was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decided {
    /// Place in the list of policies that were asked.
    pub policy: usize,
    /// Place in its list of conditions; none for the policy as a whole.
    pub condition: Option<usize>,
    pub holds: bool,
}

type Attributes = BTreeMap<String, RestrictedExpression>;

impl PolicyStore {
    /// How policies and their conditions decide for one principal and these rows of a dataset. A condition counts only where
    /// it is asked: behind those before it. Rows that break the contract's promise are left out.
    ///
    /// # Errors
    /// A sentence for people, where Cedar cannot answer.
    pub fn decided(
        &self,
        stated: &[StatedPolicy],
        who: (&Principal, &str, i64),
        entry: &TableEntry,
        rows: &RecordBatch,
    ) -> Result<BTreeSet<Decided>, String> {
        let Some(guarded) = self.tables.get(&entry.table).filter(|guarded| guarded.denied.is_none()) else {
            return Ok(BTreeSet::new());
        };
        self.roomy(|| self.decided_of(stated, who, guarded, rows))
    }

    fn decided_of(
        &self,
        stated: &[StatedPolicy],
        (principal, purpose, now): (&Principal, &str, i64),
        guarded: &Guarded,
        rows: &RecordBatch,
    ) -> Result<BTreeSet<Decided>, String> {
        let mut out = BTreeSet::new();
        let mut probes = Probes::default();
        for (at, policy) in stated.iter().enumerate().filter(|(_, policy)| guarded.policies.contains(&policy.index)) {
            let Some(own) = self.policies.get(policy.index) else { continue };
            let speaks = speaks_of(&own.pst.principal, principal);
            for (condition, _) in policy.conditions.iter().enumerate().filter(|(_, c)| c.before.is_none()) {
                out.insert(Decided { policy: at, condition: Some(condition), holds: speaks });
            }
            if speaks {
                probes.ask(at, policy, own)?;
            } else {
                out.insert(Decided { policy: at, condition: None, holds: false });
            }
        }
        if probes.meant.is_empty() {
            return Ok(out);
        }
        let prepared = guarded.prepared(self)?;
        let dataset = guarded.entry.dataset();
        for row in 0..rows.num_rows() {
            let read = |name: &str| prepared.shape.has(name);
            let Some(attributes) = attributes(&dataset.columns, rows.columns(), row, &read) else { continue };
            let subject = Subject::row(&prepared.schema, guarded.product(), &prepared.row.kind, Some(attributes))?;
            let asked = Asked::new(&self.mesh, &prepared.schema, principal, &subject, (purpose, now))?;
            probes.answer(&asked, guarded, prepared, &mut out)?;
        }
        Ok(out)
    }
}

/// The same policy as a permit: both begin with a word of six letters.
fn permit(policy: &str) -> String {
    format!("permit{}", policy.get("forbid".len()..).unwrap_or_default())
}

/// One permit for each way in which something may be decided.
#[derive(Default)]
struct Probes {
    set: PolicySet,
    meant: Vec<Decided>,
    by_name: bool,
}

impl Probes {
    fn ask(&mut self, at: usize, policy: &StatedPolicy, own: &Stated) -> Result<(), String> {
        self.by_name |= own.mentions.column_name;
        let whole = Decided { policy: at, condition: None, holds: true };
        self.add(whole, &permit(&policy.body))?;
        for (condition, stated) in policy.conditions.iter().enumerate() {
            let Some(before) = &stated.before else { continue };
            let before = permit(before);
            for (holds, not) in [(true, ""), (false, "!")] {
                let text = format!("{before}{not}({}) }};", stated.source);
                self.add(Decided { policy: at, condition: Some(condition), holds }, &text)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, meant: Decided, text: &str) -> Result<(), String> {
        let id = PolicyId::new(self.meant.len().to_string());
        let policy = Policy::parse(Some(id), text).map_err(|error| format!("`{text}` cannot be asked: {error}"))?;
        self.meant.push(meant);
        self.set.add(policy).map_err(|error| error.to_string())
    }

    /// Asks of each group of columns that look alike.
    fn answer(
        &self,
        asked: &Asked<'_>,
        guarded: &Guarded,
        prepared: &Prepared,
        out: &mut BTreeSet<Decided>,
    ) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for (path, column) in guarded.entry.dataset().leaves() {
            let facts = CellFacts::new(guarded.product(), &path, column);
            let key = (facts.tags.clone(), facts.classification.clone(), self.by_name.then(|| path.to_string()));
            if !seen.insert(key) {
                continue;
            }
            let request = asked.request("read", Some(&facts))?;
            let response = self.set.tpe(&request, &asked.entities, &prepared.schema);
            let response = response.map_err(|error| error.to_string())?;
            for id in response.true_permits() {
                out.extend(id.to_string().parse::<usize>().ok().and_then(|at| self.meant.get(at)));
            }
            for id in response.false_permits() {
                let meant = id.to_string().parse::<usize>().ok().and_then(|at| self.meant.get(at));
                out.extend(
                    meant.filter(|meant| meant.condition.is_none()).map(|meant| Decided { holds: false, ..*meant }),
                );
            }
        }
        Ok(())
    }
}

/// Those of the row's attributes that a policy reads; nothing where one is not what the contract promises or Cedar can hold.
fn attributes(columns: &[Column], values: &[ArrayRef], row: usize, read: &dyn Fn(&str) -> bool) -> Option<Attributes> {
    let mut out = Attributes::new();
    for (column, array) in columns.iter().zip(values) {
        let Some(kind) = cell_kind(&column.data_type).filter(|_| read(column.name.as_str())) else { continue };
        let value = if array.is_null(row) { None } else { value(column, kind, array, row) };
        let value = match value {
            Some(value) => value,
            None if array.is_null(row) && !column.required => continue,
            None => return None,
        };
        out.insert(column.name.to_string(), value);
    }
    Some(out)
}

fn value(column: &Column, kind: CellKind, array: &ArrayRef, row: usize) -> Option<RestrictedExpression> {
    let text = || array_value_to_string(array, row).ok();
    Some(match kind {
        CellKind::Bool => RestrictedExpression::new_bool(array.as_boolean_opt()?.value(row)),
        CellKind::Long => RestrictedExpression::new_long(text()?.parse().ok()?),
        CellKind::String => RestrictedExpression::new_string(text()?),
        CellKind::Decimal => {
            let text = text()?;
            let text = if text.contains('.') { text } else { format!("{text}.0") };
            literal::decimal(&text)?;
            RestrictedExpression::new_decimal(text)
        }
        CellKind::Datetime => {
            let moments = cast(array, &DataType::Timestamp(TimeUnit::Millisecond, None)).ok()?;
            let millis = cast(&moments, &DataType::Int64).ok()?;
            let millis = millis.as_primitive_opt::<Int64Type>()?.value(row);
            RestrictedExpression::new_datetime(literal::moment(millis)?)
        }
        CellKind::StringSet => {
            let items: Arc<dyn Array> = array.as_list_opt::<i32>()?.value(row);
            let words = (0..items.len()).map(|at| array_value_to_string(&items, at).ok());
            let words = words.map(|word| word.map(RestrictedExpression::new_string)).collect::<Option<Vec<_>>>()?;
            RestrictedExpression::new_set(words)
        }
        CellKind::Record => {
            let parts = array.as_struct_opt()?;
            RestrictedExpression::new_record(attributes(&column.fields, parts.columns(), row, &|_| true)?).ok()?
        }
    })
}
