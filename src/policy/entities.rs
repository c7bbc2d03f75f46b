//! The principal, the row and its product as Cedar entities of one schema.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use cedar_policy::{
    Context, EntityId, EntityTypeName, EntityUid, PartialEntities, PartialEntity, PartialEntityUid, PartialRequest,
    RestrictedExpression, Schema,
};

use super::fit::CellFacts;
use super::literal;
use crate::identity::{AttributeValue, Principal};
use crate::mesh::{AttributeType, Mesh, Product};
use crate::name::Tag;

type Outcome<T> = Result<T, String>;

/// Cedar reads names with a grammar, so those that every question has are read once.
static KINDS: LazyLock<HashMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ["Action", "Domain", "Product", "Role", "User"];
    kinds.into_iter().filter_map(|kind| Some((kind, kind.parse().ok()?))).collect()
});

fn uid(kind: &str, id: &str) -> Outcome<EntityUid> {
    let kind = match KINDS.get(kind) {
        Some(kind) => kind.clone(),
        None => kind.parse().map_err(|error| format!("`{kind}` is no entity type: {error}"))?,
    };
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn texts<'a>(words: impl IntoIterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(words.into_iter().map(text))
}

pub(super) fn product_tags(product: &Product) -> BTreeSet<String> {
    product.contract.tags.iter().map(Tag::to_string).collect()
}

fn product_facts(product: &Product) -> Vec<(String, RestrictedExpression)> {
    let contract = &product.contract;
    vec![
        ("tags".to_owned(), texts(contract.tags.iter().map(Tag::as_str))),
        ("classification".to_owned(), text(contract.classification.as_str())),
        ("status".to_owned(), text(contract.status.as_str())),
        ("version".to_owned(), text(&contract.version.to_string())),
    ]
}

/// What a question is about, whoever asks it: rows of a dataset or a product, and what they are members of.
#[derive(Debug)]
pub(super) struct Subject {
    resource: EntityUid,
    entities: Vec<PartialEntity>,
    /// `context.product`.
    product: RestrictedExpression,
}

impl Subject {
    /// Rows of a dataset: the row's attributes are unknown, what it is a member of is known.
    pub fn rows(schema: &Schema, product: &Product, row_type: &str) -> Outcome<Self> {
        Self::row(schema, product, row_type, None)
    }

    /// One row; without attributes they are unknown.
    pub fn row(
        schema: &Schema,
        product: &Product,
        row_type: &str,
        attributes: Option<BTreeMap<String, RestrictedExpression>>,
    ) -> Outcome<Self> {
        let mut subject = Self::product(schema, product)?;
        let row = uid(row_type, "row")?;
        let parents = HashSet::from([subject.resource, uid("Domain", product.name.domain.as_str())?]);
        subject.entities.push(partial(row.clone(), attributes, parents, schema)?);
        subject.resource = row;
        Ok(subject)
    }

    /// A product as a whole.
    pub fn product(schema: &Schema, product: &Product) -> Outcome<Self> {
        let domain = uid("Domain", product.name.domain.as_str())?;
        let resource = uid("Product", &product.name.to_string())?;
        let mut facts = product_facts(product);
        let entities = vec![
            partial(domain.clone(), Some(BTreeMap::new()), HashSet::new(), schema)?,
            partial(resource.clone(), Some(facts.iter().cloned().collect()), HashSet::from([domain]), schema)?,
        ];
        facts.push(("name".to_owned(), text(&product.name.to_string())));
        Ok(Self { resource, entities, product: record(facts)? })
    }
}

fn record(fields: Vec<(String, RestrictedExpression)>) -> Outcome<RestrictedExpression> {
    RestrictedExpression::new_record(fields).map_err(|error| error.to_string())
}

/// Everything of a request that does not change from column to column.
pub(super) struct Asked<'a> {
    subject: &'a Subject,
    schema: &'a Schema,
    principal: EntityUid,
    pub entities: PartialEntities,
    purpose: RestrictedExpression,
    now: RestrictedExpression,
}

impl<'a> Asked<'a> {
    pub fn new(
        mesh: &Mesh,
        schema: &'a Schema,
        principal: &Principal,
        subject: &'a Subject,
        (purpose, now): (&str, i64),
    ) -> Outcome<Self> {
        let now = literal::moment(now).ok_or("the clock is outside the years that policies know")?;
        let mut entities = subject.entities.clone();
        let user = uid("User", principal.name().as_str())?;
        let mut roles = HashSet::new();
        // A role that the mesh does not know is no member of the closed type; it never widens access.
        for role in principal.roles().iter().filter(|role| mesh.roles.contains(*role)) {
            let role = uid("Role", role.as_str())?;
            entities.push(partial(role.clone(), Some(BTreeMap::new()), HashSet::new(), schema)?);
            roles.insert(role);
        }
        entities.push(partial(user.clone(), Some(attributes(mesh, principal)), roles, schema)?);
        let entities = PartialEntities::from_partial_entities(entities, schema).map_err(|error| error.to_string())?;
        let now = RestrictedExpression::new_datetime(&now);
        Ok(Self { subject, schema, principal: user, entities, purpose: text(purpose), now })
    }

    /// The request for one action; `column` for `read` only.
    pub fn request(&self, action: &str, column: Option<&CellFacts>) -> Outcome<PartialRequest> {
        let mut context = vec![
            ("product".to_owned(), self.subject.product.clone()),
            ("purpose".to_owned(), self.purpose.clone()),
            ("now".to_owned(), self.now.clone()),
        ];
        if let Some(column) = column {
            let column = record(vec![
                ("name".to_owned(), text(&column.name)),
                ("tags".to_owned(), texts(column.tags.iter().map(String::as_str))),
                ("classification".to_owned(), text(&column.classification)),
            ])?;
            context.push(("column".to_owned(), column));
        }
        let context = Context::from_pairs(context).map_err(|error| error.to_string())?;
        PartialRequest::new(
            PartialEntityUid::from_concrete(self.principal.clone()),
            uid("Action", action)?,
            PartialEntityUid::from_concrete(self.subject.resource.clone()),
            Some(context),
            self.schema,
        )
        .map_err(|error| error.to_string())
    }
}

fn partial(
    uid: EntityUid,
    attributes: Option<BTreeMap<String, RestrictedExpression>>,
    parents: HashSet<EntityUid>,
    schema: &Schema,
) -> Outcome<PartialEntity> {
    let attributes =
        attributes.map(|attributes| attributes.into_iter().map(|(name, value)| (name.into(), value)).collect());
    PartialEntity::new(uid, attributes, Some(parents), Some(BTreeMap::new()), schema).map_err(|error| error.to_string())
}

/// The declared attributes, of the declared type; anything else a token brings along is dropped.
fn attributes(mesh: &Mesh, principal: &Principal) -> BTreeMap<String, RestrictedExpression> {
    let mut out = BTreeMap::new();
    for (name, value) in principal.attributes() {
        let declared = mesh.principal_attributes.get(name).map(|declared| declared.kind);
        let value = match (declared, value) {
            (Some(AttributeType::Bool), AttributeValue::Bool(value)) => RestrictedExpression::new_bool(*value),
            (Some(AttributeType::Long), AttributeValue::Long(value)) => RestrictedExpression::new_long(*value),
            (Some(AttributeType::String), AttributeValue::String(value)) => text(value),
            (Some(AttributeType::StringSet), AttributeValue::StringSet(words)) => {
                texts(words.iter().map(String::as_str))
            }
            _ => {
                tracing::debug!(attribute = %name, "principal attribute dropped: not declared, or of another type");
                continue;
            }
        };
        out.insert(name.clone(), value);
    }
    out
}
