//! `properties[]` → columns and fields of structs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

use super::dataset::Inherited;
use super::{classification, name, quality, range, tags};
use crate::contract::document::type_options;
use crate::contract::locate::{At, Node, Value};
use crate::contract::model::Column;
use crate::contract::shape::{Expect, Findings, quote, walk};
use crate::contract::types::{Declared, Fault, scalar};
use crate::name::{Classification, Tag};

/// Columns in the order of the document; one that has an error is left out.
pub fn check(properties: &[Node], inherited: Inherited<'_>, findings: &mut Findings<'_>) -> Vec<Column> {
    let mut seen: BTreeMap<String, At> = BTreeMap::new();
    let mut columns = Vec::new();
    for property in properties {
        if let Some(node) = property.get("name")
            && let Some(text) = node.text()
            && let Some(first) = seen.insert(text.to_lowercase(), node.at)
        {
            findings.error(
                node.at,
                format!("two columns are named `{}`", quote(text)),
                format!("the other stands in line {}; names may not differ in case alone", first.line),
            );
        }
        columns.extend(one(property, inherited, findings));
    }
    columns
}

fn one(property: &Node, inherited: Inherited<'_>, findings: &mut Findings<'_>) -> Option<Column> {
    let column_name = property
        .get("name")
        .and_then(|node| Some((node.text()?, node.at)))
        .and_then(|(text, at)| name(text, at, findings));
    let words = inherited.words;
    let mut tags = inherited.and_tags(tags(property, words, findings));
    let mut class = property
        .get("classification")
        .and_then(|node| classification(node, words, findings))
        .unwrap_or_else(|| inherited.classification.clone());
    let own = Inherited { tags: &tags, classification: &class, ..inherited };
    let fields = check(property.list("properties"), own, findings);
    for (nested, flag) in property.list("properties").iter().flat_map(|node| KEY_FLAGS.map(|flag| (node, flag))) {
        if nested.flag(flag)
            && let Some(entry) = nested.entry(flag)
        {
            findings.error(
                entry.at,
                format!("`{flag}` inside a struct has no meaning"),
                "keys are made of top-level columns",
            );
        }
    }
    let element = property.get("items").and_then(|items| element(items, own, findings));
    let quality = quality::check(property, quality::Of::Property, words, findings);
    let (data_type, fields) = data_type(property, fields, element.as_ref(), findings)?;
    // Policy decides a list as one cell, so it is as sensitive as the most sensitive of its parts.
    if let Some(element) = element {
        (tags, class) = most_sensitive(tags, class, &element, inherited);
    }
    if property.flag("partitioned")
        && (data_type.is_nested() || matches!(data_type, DataType::Binary))
        && let Some(entry) = property.entry("partitioned")
    {
        findings.error(
            entry.at,
            "a struct, list or binary column cannot be a partition column",
            "partition by a plain value",
        );
    }
    let range = range::check(property.get("logicalTypeOptions"), &data_type, findings);
    let name: crate::name::ColumnName = column_name?;
    Some(Column {
        physical_name: property.owned("physicalName").unwrap_or_else(|| name.as_str().to_owned()),
        name,
        data_type,
        fields,
        description: property.owned("description"),
        tags,
        classification: class,
        required: property.flag("required"),
        unique: property.flag("unique"),
        range,
        primary_key: None,
        partition_key: None,
        critical: property.flag("criticalDataElement"),
        quality,
    })
}

const KEY_FLAGS: [&str; 2] = ["primaryKey", "partitioned"];

/// What a list is made of, with the tags and classifications found anywhere below.
struct Element {
    data_type: DataType,
    tags: Vec<Tag>,
    classifications: Vec<Classification>,
}

fn element(items: &Node, inherited: Inherited<'_>, findings: &mut Findings<'_>) -> Option<Element> {
    let own_tags = inherited.and_tags(tags(items, inherited.words, findings));
    let class = items
        .get("classification")
        .and_then(|node| classification(node, inherited.words, findings))
        .unwrap_or_else(|| inherited.classification.clone());
    let own = Inherited { tags: &own_tags, classification: &class, ..inherited };
    let fields = check(items.list("properties"), own, findings);
    let nested = items.get("items").and_then(|items| element(items, own, findings));
    let (data_type, fields) = data_type(items, fields, nested.as_ref(), findings)?;
    let mut found = Element { data_type, tags: own_tags, classifications: vec![class] };
    gather(&fields, &mut found);
    if let Some(nested) = nested {
        found.tags.extend(nested.tags);
        found.classifications.extend(nested.classifications);
    }
    Some(found)
}

fn gather(fields: &[Column], into: &mut Element) {
    for field in fields {
        into.tags.extend(field.tags.iter().cloned());
        into.classifications.push(field.classification.clone());
        gather(&field.fields, into);
    }
}

fn most_sensitive(
    mut tags: Vec<Tag>,
    own: Classification,
    element: &Element,
    inherited: Inherited<'_>,
) -> (Vec<Tag>, Classification) {
    for tag in &element.tags {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    let rank = |class: &Classification| inherited.words.classifications.iter().position(|known| known == class);
    let class = element
        .classifications
        .iter()
        .fold(own, |highest, class| if rank(class) > rank(&highest) { class.clone() } else { highest });
    (tags, class)
}

/// The Arrow type; for a struct also its fields.
fn data_type(
    node: &Node,
    fields: Vec<Column>,
    element: Option<&Element>,
    findings: &mut Findings<'_>,
) -> Option<(DataType, Vec<Column>)> {
    let logical = node.text_of("logicalType");
    if node.get("logicalType").is_some() && logical.is_none() {
        return None;
    }
    let options = node.get("logicalTypeOptions");
    if let (Some(logical), Some(options)) = (logical, options) {
        match type_options(logical) {
            Some(shape) => walk(options, "logicalTypeOptions", &Expect::Map(shape), findings),
            None if matches!(logical, "boolean") => {
                findings.error(options.at, format!("`{logical}` takes no options"), "remove `logicalTypeOptions`");
            }
            None => {}
        }
    }
    for (key, of) in [("properties", "object"), ("items", "array")] {
        if let Some(entry) = node.entry(key)
            && let Some(logical) = logical
            && logical != of
        {
            let message = format!("`{key}` belongs to `logicalType: {of}`, but this is `{}`", quote(logical));
            findings.error(entry.at, message, format!("write `logicalType: {of}`, or remove `{key}`"));
        }
    }
    match logical {
        Some("object") => structure(node, fields, findings),
        Some("array") => {
            if node.get("items").is_none() {
                findings.error(
                    node.at,
                    format!("the list{} has no `items`", named(node)),
                    "add `items:` with the type of its elements",
                );
            }
            let element = element?;
            Some((DataType::List(Arc::new(Field::new_list_field(element.data_type.clone(), true))), Vec::new()))
        }
        _ => {
            let declared = Declared {
                logical,
                physical: node.text_of("physicalType"),
                format: options.and_then(|options| options.text_of("format")),
                timezone: options.and_then(|options| match options.get("timezone")?.value {
                    Value::Bool(zoned) => Some(zoned),
                    _ => None,
                }),
            };
            match scalar(declared) {
                Ok(found) => Some((found, Vec::new())),
                Err((fault, message, hint)) => {
                    let at = match fault {
                        Fault::Logical => node.get("logicalType").or_else(|| node.get("physicalType")),
                        Fault::Physical => node.get("physicalType"),
                        Fault::Format => options.and_then(|options| options.get("format")),
                    };
                    let at = at.map_or(node.at, |node| node.at);
                    findings.unsupported(at, format!("{message}{}", of_column(node)), hint);
                    None
                }
            }
        }
    }
}

fn structure(node: &Node, fields: Vec<Column>, findings: &mut Findings<'_>) -> Option<(DataType, Vec<Column>)> {
    let declared = node.list("properties");
    if declared.is_empty() {
        findings.error(
            node.at,
            format!("the struct{} has no `properties`", named(node)),
            "add `properties:` with its fields",
        );
        return None;
    }
    // A field left out for an error would make another type; the error is told already.
    if fields.len() != declared.len() {
        return None;
    }
    let arrow: Fields = fields.iter().map(|f| Field::new(f.name.as_str(), f.data_type.clone(), true)).collect();
    Some((DataType::Struct(arrow), fields))
}

fn named(node: &Node) -> String {
    node.text_of("name").map_or_else(String::new, |name| format!(" `{}`", quote(name)))
}

fn of_column(node: &Node) -> String {
    node.text_of("name").map_or_else(String::new, |name| format!(" (column `{}`)", quote(name)))
}
