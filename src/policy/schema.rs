//! A checked contract as Cedar types: one schema for each dataset, and one for products as a whole.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use cedar_policy::Schema;
use serde_json::{Map, Value, json};

use super::document::Stated;
use crate::contract::{Column, Dataset};
use crate::mesh::{AttributeType, Mesh};
use crate::name::DomainName;

/// What Cedar calls the value of a column; columns of any other type are no attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Bool,
    Long,
    String,
    Decimal,
    Datetime,
    StringSet,
    Record,
}

pub(super) fn cell_kind(data_type: &DataType) -> Option<CellKind> {
    use DataType as T;
    Some(match data_type {
        T::Boolean => CellKind::Bool,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => CellKind::Long,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => CellKind::String,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => CellKind::Decimal,
        T::Date32 | T::Date64 | T::Timestamp(..) => CellKind::Datetime,
        T::List(item) | T::LargeList(item) if cell_kind(item.data_type()) == Some(CellKind::String) => {
            CellKind::StringSet
        }
        T::Struct(_) => CellKind::Record,
        _ => return None,
    })
}

/// The name of an entity type of rows: `sales::orders`.
pub(super) fn row_type(domain: &str, dataset: &str) -> String {
    format!("{domain}::{dataset}")
}

/// Rows of a dataset as some policies see them. Datasets with equal ones share a schema: of ten thousand most have one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RowShape {
    /// Their entity type: their own where one of the policies names it, else that of any rows.
    pub kind: String,
    /// The attributes that the policies name.
    attributes: Map<String, Value>,
    /// Further row types that the policies name; they get no attributes.
    others: BTreeSet<String>,
}

impl RowShape {
    pub fn of<'a>(domain: &DomainName, dataset: &Dataset, policies: impl Iterator<Item = &'a Stated> + Clone) -> Self {
        let mentions = policies.map(|policy| &policy.mentions);
        let whole = mentions.clone().any(|mentions| mentions.whole_row);
        let named = |name: &str| whole || mentions.clone().any(|mentions| mentions.names_column(name));
        let columns = dataset.columns.iter().filter(|column| named(column.name.as_str()));
        let mut others: BTreeSet<String> = mentions.clone().flat_map(|mentions| mentions.row_types.clone()).collect();
        let own = row_type(domain.as_str(), dataset.name.as_str());
        // No policy can name this one: a policy that names what is not in its schema is refused.
        let kind = if others.remove(&own) { own } else { "Row".to_owned() };
        Self { kind, attributes: attributes(columns), others }
    }

    /// Whether a policy can read this column.
    pub fn has(&self, column: &str) -> bool {
        self.attributes.contains_key(column)
    }
}

/// The vocabulary that every schema of one mesh shares.
#[derive(Debug, Clone)]
pub(super) struct SchemaBase {
    roles: Vec<String>,
    domains: Vec<String>,
    user: Value,
}

impl SchemaBase {
    pub fn new<'a>(mesh: &Mesh, domains: impl Iterator<Item = &'a DomainName>) -> Self {
        let attributes: Map<String, Value> = mesh
            .principal_attributes
            .iter()
            .map(|(name, declared)| {
                let mut kind = match declared.kind {
                    AttributeType::Bool => json!({ "type": "Boolean" }),
                    AttributeType::Long => json!({ "type": "Long" }),
                    AttributeType::String => json!({ "type": "String" }),
                    AttributeType::StringSet => json!({ "type": "Set", "element": { "type": "String" } }),
                };
                if let Value::Object(kind) = &mut kind {
                    kind.insert("required".to_owned(), Value::Bool(declared.required));
                }
                (name.clone(), kind)
            })
            .collect();
        Self {
            roles: mesh.roles.iter().map(ToString::to_string).collect(),
            domains: domains.map(ToString::to_string).collect(),
            user: json!({ "memberOfTypes": ["Role"], "shape": { "type": "Record", "attributes": attributes } }),
        }
    }

    /// The schema for `read` of one dataset, with all that a policy may name beside what those of the shape do.
    pub fn dataset(&self, domain: &DomainName, dataset: &Dataset, rows: &RowShape) -> Result<Schema, String> {
        let kind = row_type(domain.as_str(), dataset.name.as_str());
        self.rows(&RowShape { kind, attributes: attributes(&dataset.columns), others: rows.others.clone() })
    }

    /// The schema for `read` of rows of this shape.
    pub fn rows(&self, rows: &RowShape) -> Result<Schema, String> {
        let RowShape { kind, attributes, others } = rows;
        let shape = json!({
            "memberOfTypes": ["Product"],
            "shape": { "type": "Record", "attributes": attributes },
        });
        let read = json!({ "appliesTo": {
            "principalTypes": ["User"],
            "resourceTypes": [kind],
            "context": { "type": "Record", "attributes": {
                "column": record(&[("name", text()), ("tags", texts()), ("classification", text())]),
                "product": product_facts(true),
                "purpose": text(),
                "now": { "type": "Extension", "name": "datetime" },
            } },
        } });
        let actions = json!({ "read": read, "discover": {}, "audit": {}, "edit": {} });
        self.schema(&actions, Some((kind, shape)), others)
    }

    /// The schema for `discover`, `audit` and `edit` of products.
    pub fn products(&self, others: &BTreeSet<String>) -> Result<Schema, String> {
        let whole = json!({ "appliesTo": {
            "principalTypes": ["User"],
            "resourceTypes": ["Product"],
            "context": { "type": "Record", "attributes": {
                "product": product_facts(true),
                "purpose": text(),
                "now": { "type": "Extension", "name": "datetime" },
            } },
        } });
        let actions = json!({ "read": {}, "discover": whole, "audit": whole, "edit": whole });
        self.schema(&actions, None, others)
    }

    fn schema(
        &self,
        actions: &Value,
        this: Option<(&str, Value)>,
        others: &BTreeSet<String>,
    ) -> Result<Schema, String> {
        let mut namespaces: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for other in others {
            if let Some((domain, name)) = other.split_once("::") {
                let stub = json!({ "memberOfTypes": ["Product"] });
                namespaces.entry(domain.to_owned()).or_default().insert(name.to_owned(), stub);
            }
        }
        if let Some((row, shape)) = this {
            let (domain, name) = row.split_once("::").unwrap_or(("", row));
            namespaces.entry(domain.to_owned()).or_default().insert(name.to_owned(), shape);
        }
        let mut product = product_facts(false);
        if let Value::Object(product) = &mut product {
            product.remove("required");
        }
        let mut types = namespaces.remove("").unwrap_or_default();
        types.insert("Role".to_owned(), closed(&self.roles));
        types.insert("Domain".to_owned(), closed(&self.domains));
        types.insert("Product".to_owned(), json!({ "memberOfTypes": ["Domain"], "shape": product }));
        types.insert("User".to_owned(), self.user.clone());
        let mut schema = Map::new();
        schema.insert(String::new(), json!({ "entityTypes": types, "actions": actions }));
        for (domain, types) in namespaces {
            schema.insert(domain, json!({ "entityTypes": types, "actions": {} }));
        }
        Schema::from_json_value(Value::Object(schema)).map_err(|error| error.to_string())
    }
}

/// An enum entity type; Cedar knows no empty ones, and a type without entities is as closed.
fn closed(words: &[String]) -> Value {
    if words.is_empty() { json!({}) } else { json!({ "enum": words }) }
}

fn text() -> Value {
    json!({ "type": "String" })
}

fn texts() -> Value {
    json!({ "type": "Set", "element": { "type": "String" } })
}

fn record(fields: &[(&str, Value)]) -> Value {
    let attributes: Map<String, Value> = fields.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())).collect();
    json!({ "type": "Record", "attributes": attributes })
}

/// What policy may ask of a product; in the context also its name.
fn product_facts(named: bool) -> Value {
    let mut fields = vec![("tags", texts()), ("classification", text()), ("status", text()), ("version", text())];
    if named {
        fields.push(("name", text()));
    }
    record(&fields)
}

fn attributes<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Map<String, Value> {
    let mut out = Map::new();
    for column in columns {
        let Some(kind) = cell_kind(&column.data_type) else { continue };
        let mut attribute = match kind {
            CellKind::Bool => json!({ "type": "Boolean" }),
            CellKind::Long => json!({ "type": "Long" }),
            CellKind::String => text(),
            CellKind::Decimal => json!({ "type": "Extension", "name": "decimal" }),
            CellKind::Datetime => json!({ "type": "Extension", "name": "datetime" }),
            CellKind::StringSet => texts(),
            CellKind::Record => json!({ "type": "Record", "attributes": attributes(&column.fields) }),
        };
        if let Value::Object(attribute) = &mut attribute {
            attribute.insert("required".to_owned(), Value::Bool(column.required));
        }
        out.insert(column.name.to_string(), attribute);
    }
    out
}
