//! `schema[]` → datasets.

use std::collections::BTreeMap;

use super::custom::{self, Level};
use super::{Places, Words, column, name, quality, server, tags};
use crate::contract::locate::{At, Node, Value};
use crate::contract::model::{Column, Dataset, KeyReference, Location, OnDrift, Server};
use crate::contract::shape::{Findings, quote};
use crate::diagnostic::did_you_mean;
use crate::name::{Classification, ColumnName, DatasetName, Tag};

/// What flows down from the enclosing element.
#[derive(Debug, Clone, Copy)]
pub struct Inherited<'a> {
    pub tags: &'a [Tag],
    pub classification: &'a Classification,
    pub words: Words<'a>,
    pub on_drift: OnDrift,
    /// The files are of text, whose dates and times are read as the contract says they are written.
    pub in_texts: bool,
}

impl Inherited<'_> {
    /// The enclosing element's tags, then the own ones.
    pub fn and_tags(&self, own: Vec<Tag>) -> Vec<Tag> {
        let mut all = self.tags.to_vec();
        all.extend(own.into_iter().filter(|tag| !self.tags.contains(tag)));
        all
    }
}

pub fn check(
    objects: &[Node],
    inherited: Inherited<'_>,
    place: Option<&(Server, At)>,
    findings: &mut Findings<'_>,
    places: &mut Places,
) -> Vec<Dataset> {
    let mut seen: BTreeMap<String, At> = BTreeMap::new();
    let mut datasets = Vec::new();
    for object in objects {
        let at = object.get("name").map_or(object.at, |node| node.at);
        if let Some(text) = object.text_of("name")
            && let Some(first) = seen.insert(text.to_owned(), at)
        {
            findings.error(
                at,
                format!("two datasets are named `{}`", quote(text)),
                format!("the other stands in line {}; rename one", first.line),
            );
        }
        let (dataset, references) = one(object, inherited, findings);
        if let Some(dataset) = dataset {
            places.datasets.push(at.place(findings.file));
            places.references.push(references.iter().map(|at| at.place(findings.file)).collect());
            datasets.push(dataset);
        }
    }
    if let Some((server, at)) = place
        && objects.len() > 1
    {
        let (Location::Local { path: text } | Location::S3 { url: text }) = &server.location;
        if !text.contains("{model}") {
            findings.error(
                *at,
                format!("`{}` is one place for {} datasets", quote(text), objects.len()),
                "write `{model}` where the name of the dataset stands",
            );
        }
    }
    datasets
}

fn one(object: &Node, inherited: Inherited<'_>, findings: &mut Findings<'_>) -> (Option<Dataset>, Vec<At>) {
    let dataset_name: Option<DatasetName> = object
        .get("name")
        .and_then(|node| Some((node.text()?, node.at)))
        .and_then(|(text, at)| name(text, at, findings));
    let words = inherited.words;
    let tags = inherited.and_tags(tags(object, words, findings));
    let custom = custom::check(object, Level::Object, words, findings);
    let classification = custom.classification.unwrap_or_else(|| inherited.classification.clone());
    let own = Inherited { tags: &tags, classification: &classification, ..inherited };
    let properties = object.list("properties");
    if let Some(node) = object.get("properties")
        && properties.is_empty()
        && matches!(node.value, Value::List(_))
    {
        findings.error(node.at, "the dataset has no columns", "add at least one property: `- name: order_id`");
    }
    let mut columns = column::check(properties, own, findings);
    let columns_known = columns.len() == properties.len();
    if columns_known && !columns.is_empty() && !columns.iter().any(Column::is_served) {
        findings.unsupported(object.at, "no column of the dataset is served", "the findings of its columns say why");
    }
    for key in [PRIMARY, PARTITION] {
        positions(properties, &mut columns, key, findings);
    }
    let names: Vec<&str> = properties.iter().filter_map(|node| node.text_of("name")).collect();
    let quality = quality::check(object, quality::Of::Object(&names), words, findings);
    let (references, at) = references(object, &names, findings);
    let physical_name = object.owned("physicalName");
    if let Some(node) = object.get("physicalName")
        && physical_name.as_deref().is_some_and(|text| !server::is_relative(text))
    {
        findings.error(node.at, "the physical name is not a relative name", "write the table's or file's own name");
    }
    let built = dataset_name.filter(|_| columns_known).map(|name| Dataset {
        physical_name: physical_name.unwrap_or_else(|| name.as_str().to_owned()),
        name,
        description: object.owned("description"),
        tags,
        classification,
        row_count: custom.row_count,
        on_drift: custom.on_drift.unwrap_or(inherited.on_drift),
        columns,
        references,
        quality,
    });
    (built, at)
}

/// A key made of columns: the flag, the position, and where the model keeps it.
#[derive(Clone, Copy)]
struct KeyKind {
    flag: &'static str,
    position: &'static str,
    set: fn(&mut Column, u32),
}

const PRIMARY: KeyKind =
    KeyKind { flag: "primaryKey", position: "primaryKeyPosition", set: |column, n| column.primary_key = Some(n) };

const PARTITION: KeyKind =
    KeyKind { flag: "partitioned", position: "partitionKeyPosition", set: |column, n| column.partition_key = Some(n) };

/// Numbers the columns of a key from 1: by their position where given, else in the order of the document.
fn positions(properties: &[Node], columns: &mut [Column], key: KeyKind, findings: &mut Findings<'_>) {
    let mut given: BTreeMap<i128, At> = BTreeMap::new();
    let mut order: Vec<(i128, usize)> = Vec::new();
    for (index, property) in properties.iter().enumerate() {
        let position = property.get(key.position).and_then(|node| Some((node.at, node.integer()?)));
        // -1 is the standard's "no position".
        let position = position.filter(|(_, n)| *n != -1);
        if let Some((at, n)) = position {
            if n < 1 {
                findings.error(
                    at,
                    format!("`{}` counts from 1", key.position),
                    "write 1 for the first column of the key",
                );
            } else if !property.flag(key.flag) {
                let message = format!("`{}` without `{}: true`", key.position, key.flag);
                findings.error(at, message, format!("add `{}: true`, or remove the position", key.flag));
            } else if given.insert(n, at).is_some() {
                findings.error(at, format!("position {n} is given twice"), "number the columns of the key 1, 2, 3");
            }
        }
        if property.flag(key.flag) {
            order.push((position.map_or(i128::MAX, |(_, n)| n), index));
        }
    }
    order.sort_unstable();
    for (n, (_, index)) in (1_u32..).zip(order) {
        let Some(name) = properties.get(index).and_then(|node| node.text_of("name")) else { continue };
        if let Some(column) = columns.iter_mut().find(|column| column.name.as_str() == name) {
            (key.set)(column, n);
        }
    }
}

/// Foreign keys of the object and of its top-level properties, with their places.
fn references(object: &Node, names: &[&str], findings: &mut Findings<'_>) -> (Vec<KeyReference>, Vec<At>) {
    let mut found = Vec::new();
    let mut places = Vec::new();
    let texts = |node: Option<&Node>| -> Vec<String> {
        match node.map(|node| (node, &node.value)) {
            Some((_, Value::Text(text))) => vec![text.clone()],
            Some((node, _)) => node.items().iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            None => Vec::new(),
        }
    };
    let mut add = |at: At, columns: Vec<ColumnName>, targets: Vec<String>, findings: &mut Findings<'_>| {
        if columns.len() != targets.len() {
            findings.error(
                at,
                format!("the key has {} columns here and {} there", columns.len(), targets.len()),
                "`from` and `to` need the same number of columns",
            );
        } else if !columns.is_empty() {
            found.push(KeyReference { columns, targets });
            places.push(at);
        }
    };
    for relationship in object.list("relationships") {
        let Some(from) = relationship.get("from") else {
            findings.error(relationship.at, "relationship has no `from`", "add `from:` with a column of this dataset");
            continue;
        };
        let Some(to) = relationship.get("to") else { continue };
        let from_texts = texts(Some(from));
        let mut columns = Vec::new();
        for text in &from_texts {
            let column = own_column(object, text);
            if let Some(known) = names.iter().find(|name| **name == column) {
                columns.extend(known.parse::<ColumnName>().ok());
            } else {
                let hint = did_you_mean(&column, names.iter().copied())
                    .unwrap_or_else(|| "use a column of this dataset".to_owned());
                findings.error(from.at, format!("`{}` is not a column of this dataset", quote(text)), hint);
            }
        }
        if columns.len() == from_texts.len() {
            add(to.at, columns, texts(Some(to)), findings);
        }
    }
    for property in object.list("properties") {
        let Some(column) = property.text_of("name").and_then(|text| text.parse::<ColumnName>().ok()) else { continue };
        for relationship in property.list("relationships") {
            if let Some(from) = relationship.entry("from") {
                findings.error(
                    from.at,
                    "a property's relationship has no `from`",
                    "remove it; it is the property itself",
                );
            }
            let Some(to) = relationship.get("to") else { continue };
            add(to.at, vec![column.clone()], texts(Some(to)), findings);
        }
    }
    (found, places)
}

/// `orders.customer_id`, `customer_id` or `schema/<id>/properties/<id>` → the column's name.
fn own_column(object: &Node, reference: &str) -> String {
    if let Some(id) = reference.rsplit_once("/properties/").map(|(_, id)| id) {
        let by_id = object.list("properties").iter().find(|node| node.text_of("id") == Some(id));
        return by_id.and_then(|node| node.owned("name")).unwrap_or_else(|| id.to_owned());
    }
    let own = object.text_of("name").and_then(|name| reference.strip_prefix(name)?.strip_prefix('.'));
    own.unwrap_or(reference).to_owned()
}
