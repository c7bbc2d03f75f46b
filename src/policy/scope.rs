//! What a policy's head says it is about: which actions, whom, which rows and products.

use cedar_policy::pst::{ActionConstraint, EntityOrSlot, EntityUID, PrincipalConstraint, ResourceConstraint};

use super::schema::row_type;
use crate::identity::Principal;
use crate::name::QualifiedProduct;

pub(super) const ACTIONS: [&str; 4] = ["read", "discover", "audit", "edit"];

/// The resources a policy can bear on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Anchor {
    Anything,
    Domain(String),
    /// `sales.orders`
    Product(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reach {
    pub anchor: Anchor,
    /// `resource is …`: a row type, or `Product`.
    pub only: Option<String>,
}

impl Reach {
    /// Nothing for the forms that cannot name rows or products; the linter says why.
    pub fn of(resource: &ResourceConstraint) -> Option<Self> {
        let anchor = |target: &EntityOrSlot| match target {
            EntityOrSlot::Entity(uid) => match uid.ty.to_string().as_str() {
                "Domain" => Some(Anchor::Domain(uid.eid.to_string())),
                "Product" => Some(Anchor::Product(uid.eid.to_string())),
                _ => None,
            },
            EntityOrSlot::Slot(_) => None,
        };
        Some(match resource {
            ResourceConstraint::Any => Self { anchor: Anchor::Anything, only: None },
            ResourceConstraint::In(target) => Self { anchor: anchor(target)?, only: None },
            ResourceConstraint::Is(kind) => Self { anchor: Anchor::Anything, only: Some(kind.to_string()) },
            ResourceConstraint::IsIn(kind, target) => Self { anchor: anchor(target)?, only: Some(kind.to_string()) },
            ResourceConstraint::Eq(target) => match anchor(target)? {
                product @ Anchor::Product(_) => Self { anchor: product, only: Some("Product".to_owned()) },
                _ => return None,
            },
        })
    }

    pub fn domain(name: &str) -> Self {
        Self { anchor: Anchor::Domain(name.to_owned()), only: None }
    }

    pub fn everything() -> Self {
        Self { anchor: Anchor::Anything, only: None }
    }

    pub fn rows(&self, product: &QualifiedProduct, dataset: &str) -> bool {
        let row = row_type(product.domain.as_str(), dataset);
        self.only.as_ref().is_none_or(|only| *only == row) && self.anchored(product)
    }

    pub fn product(&self, product: &QualifiedProduct) -> bool {
        self.only.as_ref().is_none_or(|only| only == "Product") && self.anchored(product)
    }

    fn anchored(&self, product: &QualifiedProduct) -> bool {
        match &self.anchor {
            Anchor::Anything => true,
            Anchor::Domain(domain) => domain == product.domain.as_str(),
            Anchor::Product(name) => *name == product.to_string(),
        }
    }

    /// The one domain it is about, as far as its words say.
    pub fn domain_name(&self) -> Option<&str> {
        let of_type = self.only.as_ref().and_then(|only| only.split_once("::")).map(|(domain, _)| domain);
        let of_anchor = match &self.anchor {
            Anchor::Anything => None,
            Anchor::Domain(name) => Some(name.as_str()),
            Anchor::Product(name) => name.split_once('.').map(|(domain, _)| domain),
        };
        match (of_type, of_anchor) {
            (Some(left), Some(right)) if left != right => None,
            (left, right) => left.or(right),
        }
    }

    /// True when it cannot name anything outside the domain.
    pub fn is_confined_to(&self, domain: &str) -> bool {
        let owned =
            |name: &str, separator: &str| name.strip_prefix(domain).is_some_and(|rest| rest.starts_with(separator));
        let by_type = self.only.as_ref().is_some_and(|only| owned(only, "::"));
        let by_anchor = match &self.anchor {
            Anchor::Anything => false,
            Anchor::Domain(name) => name == domain,
            Anchor::Product(name) => owned(name, "."),
        };
        // `resource is sales::x in Domain::"hr"` can hold for nothing, but reads as if it reached out.
        match (&self.only, &self.anchor) {
            (Some(only), Anchor::Anything) => owned(only, "::"),
            (Some(only), _) => by_anchor && (by_type || only == "Product"),
            (None, _) => by_anchor,
        }
    }
}

/// Which of [`ACTIONS`] a head names.
pub(super) fn actions(constraint: &ActionConstraint) -> Vec<&'static str> {
    let named = |uid: &EntityUID| {
        ACTIONS.into_iter().find(|action| uid.ty.to_string() == "Action" && uid.eid.as_str() == *action)
    };
    match constraint {
        ActionConstraint::Any => ACTIONS.to_vec(),
        ActionConstraint::Eq(uid) => named(uid).into_iter().collect(),
        ActionConstraint::In(uids) => uids.iter().filter_map(named).collect(),
    }
}

/// Whom a head is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Audience {
    Anyone,
    Role(String),
    User(String),
    /// No principal is of that kind.
    Nobody,
}

pub(super) fn audience(constraint: &PrincipalConstraint) -> Audience {
    let is_user = |kind: &cedar_policy::pst::EntityType| kind.to_string() == "User";
    let same = |target: &EntityOrSlot| match target {
        EntityOrSlot::Entity(uid) if is_user(&uid.ty) => Audience::User(uid.eid.to_string()),
        EntityOrSlot::Entity(_) => Audience::Nobody,
        EntityOrSlot::Slot(_) => Audience::Anyone,
    };
    let member = |target: &EntityOrSlot| match target {
        EntityOrSlot::Entity(uid) if uid.ty.to_string() == "Role" => Audience::Role(uid.eid.to_string()),
        other => same(other),
    };
    match constraint {
        PrincipalConstraint::Any => Audience::Anyone,
        PrincipalConstraint::Eq(target) => same(target),
        PrincipalConstraint::In(target) => member(target),
        PrincipalConstraint::Is(kind) if is_user(kind) => Audience::Anyone,
        PrincipalConstraint::IsIn(kind, target) if is_user(kind) => member(target),
        PrincipalConstraint::Is(_) | PrincipalConstraint::IsIn(..) => Audience::Nobody,
    }
}

/// True when the head can hold for this principal; exact, so that a policy left out would have said nothing.
pub(super) fn speaks_of(constraint: &PrincipalConstraint, principal: &Principal) -> bool {
    match audience(constraint) {
        Audience::Anyone => true,
        Audience::Role(name) => principal.roles().contains(name.as_str()),
        Audience::User(name) => principal.name().as_str() == name,
        Audience::Nobody => false,
    }
}
