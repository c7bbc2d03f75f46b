//! `properties[]` → columns and fields of structs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

use super::dataset::Inherited;
use super::{classification, name, quality, range, tags, written};
use crate::contract::document::type_options;
use crate::contract::locate::{At, Node, Value};
use crate::contract::model::Column;
use crate::contract::pattern::TimeFormat;
use crate::contract::shape::{Expect, Findings, quote, walk};
use crate::contract::types::{Declared, Fault, Refusal, element_of, scalar};
use crate::diagnostic::{Diagnostic, Kind};
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
    let list_in_files = element.as_ref().map(|element| list_of(&element.in_files)).filter(|found| *found != data_type);
    let in_json = match &element {
        Some(element) if element.in_json != element.in_files => Some(list_of(&element.in_json)),
        Some(_) => None,
        None => holds_json(property, &data_type).then_some(DataType::LargeUtf8),
    };
    let written_inside = element.as_ref().map(|element| element.written.clone()).unwrap_or_default();
    // Policy decides a list as one cell, so it is as sensitive as the most sensitive of its parts.
    if let Some(element) = element {
        (tags, class) = most_sensitive(tags, class, &element, inherited);
    }
    if property.flag("partitioned")
        && (data_type.is_nested() || matches!(data_type, DataType::Binary | DataType::Null))
        && let Some(entry) = property.entry("partitioned")
    {
        findings.error(
            entry.at,
            "a struct, list or binary column, or one of an unknown type, cannot be a partition column",
            "partition by a plain value",
        );
    }
    let range = range::check(property.get("logicalTypeOptions"), &data_type, findings);
    let written = written::check(property, &data_type, inherited.in_texts, findings);
    let name: crate::name::ColumnName = column_name?;
    Some(Column {
        physical_name: property.owned("physicalName").unwrap_or_else(|| name.as_str().to_owned()),
        name,
        data_type,
        fields,
        written,
        written_inside,
        list_in_files,
        in_json,
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
    /// Under the names that files use.
    in_files: DataType,
    /// As JSON files hold it, see [`Column::in_json`].
    in_json: DataType,
    /// See [`Column::written_inside`].
    written: BTreeMap<Vec<String>, TimeFormat>,
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
    let mut written = written_below(&fields);
    written.extend(nested.as_ref().map(|nested| nested.written.clone()).unwrap_or_default());
    let own = written::check(items, &data_type, inherited.in_texts, findings);
    written.extend(own.map(|own| (Vec::new(), own)));
    let (data_type, in_files, in_json) = match &nested {
        _ if !fields.is_empty() => (
            of_served(&fields, |f| (f.name.as_str(), f.data_type.clone())),
            of_served(&fields, |f| (&f.physical_name, f.type_in_files())),
            of_served(&fields, |f| (&f.physical_name, f.type_in_json())),
        ),
        Some(nested) => (data_type, list_of(&nested.in_files), list_of(&nested.in_json)),
        None if holds_json(items, &data_type) => (data_type.clone(), data_type, DataType::LargeUtf8),
        None => (data_type.clone(), data_type.clone(), data_type),
    };
    let mut found = Element { data_type, in_files, in_json, written, tags: own_tags, classifications: vec![class] };
    gather(&fields, &mut found);
    if let Some(nested) = nested {
        found.tags.extend(nested.tags);
        found.classifications.extend(nested.classifications);
    }
    Some(found)
}

/// The struct of the fields that can be served: a list is one cell, whose parts are not hidden one by one.
fn of_served<'a>(fields: &'a [Column], of_leaf: impl Fn(&'a Column) -> (&'a str, DataType) + Copy) -> DataType {
    let served = fields.iter().filter(|field| field.is_served()).map(|field| {
        let (name, leaf) = of_leaf(field);
        let data_type = if field.fields.is_empty() { leaf } else { of_served(&field.fields, of_leaf) };
        Field::new(name, data_type, true)
    });
    let served: Fields = served.collect();
    if served.is_empty() { DataType::Null } else { DataType::Struct(served) }
}

/// How dates and times of fields are written, by their paths.
fn written_below(fields: &[Column]) -> BTreeMap<Vec<String>, TimeFormat> {
    let mut all = BTreeMap::new();
    for field in fields {
        let own = field.written.iter().map(|written| (Vec::new(), written.clone()));
        let below = own.chain(field.written_inside.clone()).chain(written_below(&field.fields));
        all.extend(below.map(|(path, written)| ([vec![field.physical_name.clone()], path].concat(), written)));
    }
    all
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
        match type_options(logical, findings.minor) {
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
    let physical = node.text_of("physicalType");
    let found = match (logical, element) {
        (Some("object"), _) if node.list("properties").is_empty() => documented("struct", "properties", physical),
        (Some("object"), _) => return structure(node, fields),
        (Some("array"), Some(element)) => Ok(list_of(&element.data_type)),
        (Some("array"), None) if node.get("items").is_some() => return None,
        (Some("array") | None, None) if physical.is_some_and(|text| element_of(text).is_some()) => listed(physical),
        (Some("array"), None) => documented("list", "items", physical),
        _ => scalar(Declared {
            logical,
            physical,
            format: options.and_then(|options| options.text_of("format")),
            timezone: options.and_then(|options| match options.get("timezone")?.value {
                Value::Bool(zoned) => Some(zoned),
                _ => None,
            }),
            dates_are_moments: findings.minor == 0,
        }),
    };
    match found {
        Ok(found) => Some((found, Vec::new())),
        Err(refusal) => refused(node, &refusal, findings),
    }
}

/// Tells of a type that cannot be served. A column of a type that the standard has is left out; the others are served.
fn refused(node: &Node, refusal: &Refusal, findings: &mut Findings<'_>) -> Option<(DataType, Vec<Column>)> {
    let at = match refusal.fault {
        Fault::Logical => node.get("logicalType").or_else(|| node.get("physicalType")),
        Fault::Physical => node.get("physicalType"),
        Fault::Format => node.get("logicalTypeOptions").and_then(|options| options.get("format")),
    };
    let at = at.map_or(node.at, |node| node.at);
    let (message, hint) = (format!("{}{}", refusal.message, of_column(node)), refusal.hint.clone());
    if !refusal.is_valid {
        findings.unsupported(at, message, hint);
        return None;
    }
    let finding = Diagnostic::warning(Kind::Unsupported, format!("{message}; the column is not served")).hint(hint);
    findings.add(at, finding);
    Some((DataType::Null, Vec::new()))
}

/// What a struct or list that does not say its parts can be: the text of its JSON.
fn documented(what: &str, key: &str, physical: Option<&str>) -> Result<DataType, Refusal> {
    let base = physical.and_then(|text| text.split(['<', '(']).next()).unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(base.as_str(), "struct" | "record" | "row" | "map" | "array" | "list") {
        return Ok(DataType::Utf8);
    }
    Err(Refusal {
        fault: Fault::Physical,
        message: format!("the {what} has no `{key}`"),
        hint: format!("add `{key}:`; without them only JSON is served, as text"),
        is_valid: true,
    })
}

/// True for the text of an object or an array whose parts the contract does not say.
fn holds_json(node: &Node, data_type: &DataType) -> bool {
    *data_type == DataType::Utf8 && matches!(node.text_of("logicalType"), Some("object" | "array"))
}

/// The list that a physical type such as `INT[]` says.
fn listed(physical: Option<&str>) -> Result<DataType, Refusal> {
    let element = physical.and_then(element_of);
    if element.is_some_and(|element| element_of(element).is_some()) {
        return listed(element).map(|element| list_of(&element));
    }
    scalar(Declared { physical: element, ..Declared::default() }).map(|element| list_of(&element))
}

/// A list whose elements have no type has none.
fn list_of(element: &DataType) -> DataType {
    if *element == DataType::Null {
        return DataType::Null;
    }
    DataType::List(Arc::new(Field::new_list_field(element.clone(), true)))
}

fn structure(node: &Node, fields: Vec<Column>) -> Option<(DataType, Vec<Column>)> {
    // A field left out for an error would make another type; the error is told already.
    if fields.len() != node.list("properties").len() {
        return None;
    }
    let arrow: Fields = fields.iter().map(|f| Field::new(f.name.as_str(), f.data_type.clone(), true)).collect();
    Some((DataType::Struct(arrow), fields))
}

fn of_column(node: &Node) -> String {
    node.text_of("name").map_or_else(String::new, |name| format!(" (column `{}`)", quote(name)))
}
