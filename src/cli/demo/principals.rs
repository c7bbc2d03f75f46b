//! Who may log in to the demo. The password of each is its name; that is why `demo` listens on loopback only.

use secrecy::SecretString;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use crate::diagnostic::Result;
use crate::identity::hash_password;

/// A principal of the demo mesh, and what it is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoPrincipal {
    /// Also the password.
    pub name: &'static str,
    pub role: Option<&'static str>,
    pub region: Option<&'static str>,
    pub clearance: Option<i64>,
    /// One line for people: what this principal sees.
    pub sees: &'static str,
}

/// The demo's principals, in the order in which they are shown.
pub const PRINCIPALS: &[DemoPrincipal] = &[
    DemoPrincipal {
        name: "ana",
        role: Some("analyst"),
        region: Some("EU"),
        clearance: Some(1),
        sees: "sales and shipments of the EU, personal data hashed",
    },
    DemoPrincipal {
        name: "bob",
        role: Some("analyst"),
        region: Some("US"),
        clearance: Some(1),
        sees: "sales and shipments of the US, personal data hashed",
    },
    DemoPrincipal {
        name: "mia",
        role: Some("marketer"),
        region: Some("EU"),
        clearance: None,
        sees: "all customers with the domain of their email, and touchpoints",
    },
    DemoPrincipal {
        name: "hana",
        role: Some("people-partner"),
        region: Some("EU"),
        clearance: None,
        sees: "employees, with salaries outside the EU in steps of 10,000",
    },
    DemoPrincipal {
        name: "otto",
        role: Some("sales-owner"),
        region: None,
        clearance: Some(2),
        sees: "all of sales, the last four characters of personal data",
    },
    DemoPrincipal {
        name: "dpo",
        role: Some("privacy-officer"),
        region: None,
        clearance: Some(3),
        sees: "everything in clear",
    },
    DemoPrincipal { name: "eve", role: None, region: None, clearance: None, sees: "nothing" },
];

const HEADER: &str = "\
# Demo users. The password of each is its name, so never serve this file beyond loopback.
# `meshgate user add NAME --role ROLE --attribute KEY=VALUE` adds one.

";

/// The text of `users.toml`, with a fresh salt for each password.
pub(super) fn users_toml() -> Result<String> {
    let mut users = Table::new();
    users.set_implicit(true);
    for principal in PRINCIPALS {
        users.insert(principal.name, Item::Table(entry(principal)?));
    }
    let mut document = DocumentMut::new();
    document.insert("users", Item::Table(users));
    Ok(format!("{HEADER}{document}"))
}

fn entry(principal: &DemoPrincipal) -> Result<Table> {
    let mut attributes = InlineTable::new();
    if let Some(region) = principal.region {
        attributes.insert("region", region.into());
    }
    if let Some(clearance) = principal.clearance {
        attributes.insert("clearance", clearance.into());
    }
    let mut table = Table::new();
    table.insert("password", value(hash_password(&SecretString::from(principal.name))?));
    table.insert("roles", value(principal.role.into_iter().collect::<Array>()));
    table.insert("attributes", value(attributes));
    Ok(table)
}
