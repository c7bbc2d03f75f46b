//! Who calls.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::{PrincipalName, RoleName};

/// An attribute of a principal, as the users file or a token gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttributeValue {
    Bool(bool),
    Long(i64),
    String(String),
    StringSet(BTreeSet<String>),
}

/// An authenticated caller.
///
/// Roles and attributes that the mesh does not declare are dropped where policy evaluates (`policy::entities`),
/// so that an unknown word never widens access.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    name: PrincipalName,
    roles: BTreeSet<RoleName>,
    attributes: BTreeMap<String, AttributeValue>,
}

impl Principal {
    /// Minted by this folder's authenticators, and by the users file for offline evaluation.
    pub(in crate::identity) fn new(
        name: PrincipalName,
        roles: BTreeSet<RoleName>,
        attributes: BTreeMap<String, AttributeValue>,
    ) -> Self {
        Self { name, roles, attributes }
    }

    /// A caller that nobody authenticated, for answers from files alone: `check`, tests of policies, `access`. Fenced by
    /// `clippy.toml`: no path of a server may call it.
    pub(crate) fn on_paper(
        name: PrincipalName,
        roles: BTreeSet<RoleName>,
        attributes: BTreeMap<String, AttributeValue>,
    ) -> Self {
        Self::new(name, roles, attributes)
    }

    /// A caller for the tests of other folders.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &str, roles: &[&str], attributes: &[(&str, AttributeValue)]) -> Self {
        Self::new(
            name.parse().unwrap(),
            roles.iter().map(|role| role.parse().unwrap()).collect(),
            attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        )
    }

    pub fn name(&self) -> &PrincipalName {
        &self.name
    }

    pub fn roles(&self) -> &BTreeSet<RoleName> {
        &self.roles
    }

    pub fn attributes(&self) -> &BTreeMap<String, AttributeValue> {
        &self.attributes
    }
}
