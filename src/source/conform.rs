//! What files or a table hold against what the contract promises: column by column, and as a plan in the contract's names and types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::common::{Column as ColumnRef, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource, cast, lit, try_cast};

use super::conversion::Conversion;
use super::fit::{Fit, Lacking, fit, note_lacking, type_name};
use crate::contract::Column;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::ColumnPath;

/// The contract's own type and names, all nullable.
pub(super) fn promised_type(column: &Column) -> DataType {
    if column.fields.is_empty() {
        return column.data_type.clone();
    }
    DataType::Struct(column.fields.iter().map(|f| Field::new(f.name.as_str(), promised_type(f), true)).collect())
}

/// A column or field in names of files, the column first.
pub(super) type FilePath = Vec<String>;

/// What was found of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// What is not there, with what is to be said where it is nowhere.
    pub absent: BTreeMap<FilePath, Diagnostic>,
    /// What is there in a type that does not fit.
    pub faults: Unreadable,
    /// What is not there though the contract requires it.
    pub broken: Unreadable,
    /// [`convert`](super::convert) makes it what is promised; the engine's own readers do not.
    pub converted: bool,
    /// Leaves of which some values may have no meaning as promised.
    pub lossy: BTreeSet<ColumnPath>,
}

/// Compares what was found of a column in `place` with the contract, without reading rows: each member of a struct for itself. `uuids`
/// says that 16 bytes of fixed size at a path are UUIDs.
pub(super) fn compare(place: &str, found: &Schema, column: &Column, uuids: &dyn Fn(&[String]) -> bool) -> Found {
    let mut comparison = Comparison { place, uuids, found: Found::default() };
    comparison.column(&[], &ColumnPath::root(column.name.clone()), found.fields(), column);
    comparison.found
}

struct Comparison<'a> {
    place: &'a str,
    uuids: &'a dyn Fn(&[String]) -> bool,
    found: Found,
}

impl Comparison<'_> {
    fn column(&mut self, above: &[String], named: &ColumnPath, found: &Fields, column: &Column) {
        let path = [above, std::slice::from_ref(&column.physical_name)].concat();
        let Some((_, field)) = found.find(&column.physical_name) else {
            let why = self.missing(&path, found, &promised_type(column));
            if column.required {
                self.found.broken.insert(named.clone(), why.clone());
            }
            // A column that is not there is made by the engine itself, a field by the conversion.
            self.found.converted |= !above.is_empty();
            self.found.absent.insert(path, why);
            return;
        };
        if let (DataType::Struct(inner), false) = (field.data_type(), column.fields.is_empty()) {
            for field in &column.fields {
                self.column(&path, &named.child(field.name.clone()), inner, field);
            }
            return;
        }
        let (found, promised) = (field.data_type(), column.type_in_files());
        let is_null = *found == DataType::Null;
        let fit = fit(found, &promised, (self.uuids)(&path)).filter(|_| is_null || column.fields.is_empty());
        let Some(fit) = fit else {
            let why = Diagnostic::error(
                Kind::Invalid,
                format!(
                    "column `{}` of `{}` is {}, but the contract promises {}",
                    path.join("."),
                    self.place,
                    type_name(found),
                    type_name(&promised_type(column))
                ),
            )
            .hint("correct the type in the contract, or write the file again");
            self.found.faults.insert(named.clone(), why);
            return;
        };
        self.found.converted |= fit > Fit::Stock || is_null && promised.is_nested();
        if fit == Fit::Lossy {
            self.found.lossy.insert(named.clone());
        }
        let mut lacking = Vec::new();
        note_lacking(&path, found, &promised, &mut lacking);
        for Lacking { path, promised, beside } in lacking {
            let why = self.missing(&path, &beside, &promised);
            self.found.absent.insert(path, why);
        }
    }

    fn missing(&self, path: &[String], found: &Fields, promised: &DataType) -> Diagnostic {
        let names: Vec<&str> = found.iter().map(|f| f.name().as_str()).take(20).collect();
        let (place, path) = (self.place, path.join("."));
        Diagnostic::error(
            Kind::Invalid,
            format!("`{place}` has no column `{path}`, promised as {}", type_name(promised)),
        )
        .hint(format!("it has {}", quoted(&names)))
        .hint("correct `physicalName` or `partitioned` of the column in the contract, or write the file again")
    }
}

fn quoted(names: &[&str]) -> String {
    if names.is_empty() {
        return "no columns".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What none of the files has, by what each of them lacks: a name that is written wrongly is not a column that came later.
pub(super) fn nowhere<'a>(files: &[&'a BTreeMap<FilePath, Diagnostic>]) -> BTreeMap<&'a FilePath, &'a Diagnostic> {
    let lacks = |file: &BTreeMap<FilePath, Diagnostic>, path: &FilePath| {
        (1..=path.len()).filter_map(|length| path.get(..length)).any(|above| file.contains_key(above))
    };
    // Each path once, as the first file tells it.
    let mut all: BTreeMap<_, _> = files.iter().rev().flat_map(|file| file.iter()).collect();
    all.retain(|path, _| files.iter().all(|file| lacks(file, path)));
    all
}

/// Columns and members of structs that the files do not hold as promised, by the first of the files that does not. What lies below one
/// of them is unreadable too.
pub(super) type Unreadable = BTreeMap<ColumnPath, Diagnostic>;

/// Why a column or member cannot be read: for itself, or for a struct around it.
pub(super) fn unreadable_at<'a>(unreadable: &'a Unreadable, path: &ColumnPath) -> Option<&'a Diagnostic> {
    unreadable.iter().find(|(above, _)| path.starts_with(above)).map(|(_, why)| why)
}

/// The column, or the member of it, to which a path of files leads: the list where the path goes on inside of one.
pub(super) fn path_in(column: &Column, in_files: &[String]) -> ColumnPath {
    let (mut path, mut fields) = (ColumnPath::root(column.name.clone()), &column.fields);
    for part in in_files.iter().skip(1) {
        let Some(field) = fields.iter().find(|field| field.physical_name == *part) else { break };
        path = path.child(field.name.clone());
        fields = &field.fields;
    }
    path
}

/// The column without its unreadable members; none where it is unreadable itself. A struct is read though no member of it is: whether it
/// is there can be seen by those from whom policy hides the members.
pub(super) fn readable(column: &Column, unreadable: &Unreadable) -> Option<Column> {
    fn below(column: &Column, path: &ColumnPath, unreadable: &Unreadable) -> Option<Column> {
        if unreadable.contains_key(path) {
            return None;
        }
        if column.fields.is_empty() {
            return Some(column.clone());
        }
        let fields = column.fields.iter();
        let fields = fields.filter_map(|field| below(field, &path.child(field.name.clone()), unreadable));
        let mut part =
            Column { fields: fields.collect(), data_type: DataType::Struct(Fields::empty()), ..column.clone() };
        part.data_type = promised_type(&part);
        Some(part)
    }
    below(column, &ColumnPath::root(column.name.clone()), unreadable)
}

/// A plan in the contract's names and types, and what it cannot show.
pub(super) struct Conformed {
    pub plan: LogicalPlan,
    /// The marker of every leaf whose values may be lost.
    pub drift: BTreeMap<ColumnPath, String>,
    pub unreadable: Unreadable,
    /// What is wrong with a file without which the product is opened.
    pub damaged: Option<Diagnostic>,
}

/// No column can be called like this: names have no dots.
pub(super) fn marker(path: &ColumnPath) -> String {
    format!("drift.{path}")
}

/// A product that keeps its promise for no column is taken out.
///
/// # Errors
/// Why the first of `columns` is unreadable, where all are.
pub(super) fn some_readable<'a>(columns: impl IntoIterator<Item = &'a Column>, unreadable: &Unreadable) -> Result<()> {
    let mut faults = Vec::new();
    for column in columns {
        for (path, _) in column.leaves() {
            match unreadable_at(unreadable, &path) {
                Some(why) => faults.push(why),
                None => return Ok(()),
            }
        }
    }
    faults.first().map_or(Ok(()), |why| Err((*why).clone()))
}

/// Projects `source` to the contract's columns, in their order, under their names, in their types, followed by markers. `markers` are
/// those of readable leaves, with their expressions; an unreadable column or member is NULL, and what policies read of it is marked.
/// `read` is what a column of the source says.
pub(super) fn project(
    source: Arc<dyn TableSource>,
    columns: &[Column],
    markers: Vec<(ColumnPath, Expr)>,
    unreadable: Unreadable,
    read: impl Fn(&str) -> Expr,
) -> datafusion::common::Result<Conformed> {
    let schema = source.schema();
    let mut output = Vec::new();
    let leaves = columns.iter().flat_map(Column::leaves).map(|(path, _)| path);
    let lost = leaves.filter(|path| unreadable_at(&unreadable, path).is_some()).map(|path| (path, lit(true)));
    let lost: Vec<(ColumnPath, Expr)> = lost.collect();
    for column in columns {
        let Some(part) = readable(column, &unreadable) else {
            output.push(lit(ScalarValue::try_from(&promised_type(column))?).alias(column.name.as_str()));
            continue;
        };
        let found = schema.field_with_name(&column.physical_name)?.data_type();
        output.push(conformed(column, &part, read(&column.physical_name), found).alias(column.name.as_str()));
    }
    let mut drift = BTreeMap::new();
    for (path, expr) in markers.into_iter().chain(lost) {
        let name = marker(&path);
        output.push(expr.alias(&name));
        drift.insert(path, name);
    }
    let plan = LogicalPlanBuilder::scan("source", source, None)?.project(output)?.build()?;
    Ok(Conformed { plan, drift, unreadable, damaged: None })
}

/// A column of the files, or a marker among them.
pub(super) fn source_column(name: &str) -> Expr {
    Expr::Column(ColumnRef::from_name(name))
}

/// TRUE where bytes are there that are no text.
pub(super) fn is_no_text(value: Expr) -> Expr {
    value.clone().is_not_null().and(try_cast(value, DataType::Utf8).is_null())
}

/// The bare value where nothing is to be done, so that predicates still reach the files. `part` is what can be read of the column.
fn conformed(column: &Column, part: &Column, value: Expr, found: &DataType) -> Expr {
    let promised = promised_type(column);
    if *found == promised {
        return value;
    }
    // Bytes are read for a text only where one of them was none.
    if (found, &promised) == (&DataType::Binary, &DataType::Utf8) {
        return try_cast(value, promised);
    }
    let to = column.type_in_files();
    if !promised.is_nested() && fit(found, &to, false) == Some(Fit::Stock) {
        return cast(value, promised);
    }
    Conversion::Values { read: part.type_in_files(), to, shown: promised }.of(value)
}

/// The marker of a leaf of a column, in rows in which its values have no meaning as promised.
pub(super) fn lost(column: &Column, leaf: &ColumnPath) -> Conversion {
    let mut path = Vec::new();
    let mut fields = &column.fields;
    for segment in leaf.segments().iter().skip(1) {
        let Some(field) = fields.iter().find(|field| field.name == *segment) else { break };
        path.push(field.physical_name.clone());
        fields = &field.fields;
    }
    Conversion::Lost { to: column.type_in_files(), path }
}
