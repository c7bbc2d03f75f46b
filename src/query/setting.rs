//! What a login may set, and what it has set.

use std::sync::{PoisonError, RwLock};

use crate::diagnostic::{Diagnostic, Kind, Result, did_you_mean};
use crate::mesh::Mesh;
use crate::name::Purpose;

/// A setting of a session. There are no others: what the engine calls its options is not the caller's to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// What the session says it is for: `context.purpose` of the policies.
    Purpose,
    /// The catalog of bare names: the mesh, and no other.
    Catalog,
    /// The domain of bare table names.
    Schema,
}

impl Setting {
    pub const ALL: [Self; 3] = [Self::Purpose, Self::Catalog, Self::Schema];

    /// As SQL and Flight session options spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Purpose => "meshgate.purpose",
            Self::Catalog => "catalog",
            Self::Schema => "schema",
        }
    }

    /// # Errors
    /// `Unsupported` for everything else, naming what there is.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name).ok_or_else(|| {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            let known = Self::ALL.map(Self::name);
            let near = did_you_mean(name, known).map(|near| format!("{near} ")).unwrap_or_default();
            Diagnostic::error(Kind::Unsupported, format!("there is no setting `{shown}`"))
                .hint(format!("{near}the settings of a session are: `{}`", known.join("`, `")))
        })
    }
}

/// `SET`, or `RESET` where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub setting: Setting,
    pub value: Option<String>,
}

/// What one login has set; shared by its requests.
#[derive(Debug, Default)]
pub(in crate::query) struct Settings(RwLock<Values>);

#[derive(Debug, Clone, Default)]
pub(in crate::query) struct Values {
    pub purpose: Option<Purpose>,
    /// The SQL schema of bare table names.
    pub schema: Option<String>,
}

impl Settings {
    pub(in crate::query) fn now(&self) -> Values {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::query) fn change(&self, change: impl FnOnce(&mut Values)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A purpose as a caller wrote it; empty text is none.
///
/// # Errors
/// `Invalid` for text that is no purpose, and for one that the mesh does not declare where it declares some.
pub(in crate::query) fn purpose(text: &str, mesh: &Mesh) -> Result<Option<Purpose>> {
    if text.is_empty() {
        return Ok(None);
    }
    let purpose: Purpose = text.parse()?;
    declared(&purpose, mesh)?;
    Ok(Some(purpose))
}

/// # Errors
/// `Invalid` where the mesh lists its purposes and this is none of them.
pub(in crate::query) fn declared(purpose: &Purpose, mesh: &Mesh) -> Result<()> {
    let Some(known) = mesh.purposes.as_ref().filter(|known| !known.contains(purpose)) else { return Ok(()) };
    let words: Vec<&str> = known.iter().map(Purpose::as_str).collect();
    let hint = did_you_mean(purpose.as_str(), words.iter().copied()).unwrap_or_else(|| match words.len() {
        0 => "this mesh declares none".to_owned(),
        1..=8 => format!("its purposes are `{}`", words.join("`, `")),
        _ => "the operator lists them under `purposes` in mesh.yaml".to_owned(),
    });
    Err(Diagnostic::error(Kind::Invalid, format!("there is no purpose `{purpose}` in this mesh")).hint(hint))
}
