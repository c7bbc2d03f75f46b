//! The principal, the row and its product as Cedar entities of one schema.

use std::collections::{BTreeMap, BTreeSet, HashSet};

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

pub(super) fn uid(kind: &str, id: &str) -> Outcome<EntityUid> {
    let kind: EntityTypeName = kind.parse().map_err(|error| format!("`{kind}` is no entity type: {error}"))?;
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

/// Everything of a request that does not change from column to column.
pub(super) struct Asked {
    pub principal: EntityUid,
    pub resource: EntityUid,
    pub entities: PartialEntities,
    purpose: String,
    now: String,
}

impl Asked {
    /// Rows of a dataset: the row's attributes are unknown, what it is a member of is known.
    pub fn rows(
        mesh: &Mesh,
        schema: &Schema,
        principal: &Principal,
        product: &Product,
        row_type: &str,
        session: (&str, i64),
    ) -> Outcome<Self> {
        Self::row(mesh, schema, principal, product, (row_type, None), session)
    }

    /// One row; without attributes they are unknown.
    pub fn row(
        mesh: &Mesh,
        schema: &Schema,
        principal: &Principal,
        product: &Product,
        (row_type, attributes): (&str, Option<BTreeMap<String, RestrictedExpression>>),
        (purpose, now): (&str, i64),
    ) -> Outcome<Self> {
        let row = uid(row_type, "row")?;
        let parents =
            HashSet::from([uid("Product", &product.name.to_string())?, uid("Domain", product.name.domain.as_str())?]);
        let row_entity = partial(row.clone(), attributes, parents, schema)?;
        Self::about(mesh, schema, principal, product, row, Some(row_entity), (purpose, now))
    }

    /// A product as a whole.
    pub fn product(
        mesh: &Mesh,
        schema: &Schema,
        principal: &Principal,
        product: &Product,
        (purpose, now): (&str, i64),
    ) -> Outcome<Self> {
        let resource = uid("Product", &product.name.to_string())?;
        Self::about(mesh, schema, principal, product, resource, None, (purpose, now))
    }

    fn about(
        mesh: &Mesh,
        schema: &Schema,
        principal: &Principal,
        product: &Product,
        resource: EntityUid,
        row: Option<PartialEntity>,
        (purpose, now): (&str, i64),
    ) -> Outcome<Self> {
        let now = literal::moment(now).ok_or("the clock is outside the years that policies know")?;
        let domain = uid("Domain", product.name.domain.as_str())?;
        let product_uid = uid("Product", &product.name.to_string())?;
        let facts = product_facts(product).into_iter().collect();
        let mut entities = vec![
            partial(domain.clone(), Some(BTreeMap::new()), HashSet::new(), schema)?,
            partial(product_uid, Some(facts), HashSet::from([domain]), schema)?,
        ];
        entities.extend(row);
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
        Ok(Self { principal: user, resource, entities, purpose: purpose.to_owned(), now })
    }

    /// The request for one action; `column` for `read` only.
    pub fn request(
        &self,
        action: &str,
        column: Option<&CellFacts>,
        product: &Product,
        schema: &Schema,
    ) -> Outcome<PartialRequest> {
        let record = |fields: Vec<(String, RestrictedExpression)>| {
            RestrictedExpression::new_record(fields).map_err(|error| error.to_string())
        };
        let mut facts = product_facts(product);
        facts.push(("name".to_owned(), text(&product.name.to_string())));
        let mut context = vec![
            ("product".to_owned(), record(facts)?),
            ("purpose".to_owned(), text(&self.purpose)),
            ("now".to_owned(), RestrictedExpression::new_datetime(&self.now)),
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
            PartialEntityUid::from_concrete(self.resource.clone()),
            Some(context),
            schema,
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
