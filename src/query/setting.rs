//! What a login may set, and what it has set.

use std::sync::{PoisonError, RwLock};

use arrow::array::timezone::Tz;

use crate::client::PURPOSE_HEADER;
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
    /// The time zone of `now()`, `current_date` and times that are written without one.
    TimeZone,
    /// Which types a result travels in.
    ArrowTypes,
    /// How the frames of a result are compressed.
    ArrowCompression,
}

impl Setting {
    pub const ALL: [Self; 6] =
        [Self::Purpose, Self::Catalog, Self::Schema, Self::TimeZone, Self::ArrowTypes, Self::ArrowCompression];

    /// As SQL and Flight session options spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Purpose => "meshgate.purpose",
            Self::Catalog => "catalog",
            Self::Schema => "schema",
            Self::TimeZone => "timezone",
            Self::ArrowTypes => "arrow-types",
            Self::ArrowCompression => "arrow-compression",
        }
    }

    /// A header that says it for one call, and then wins over what the session has set.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Purpose => Some(PURPOSE_HEADER),
            Self::ArrowTypes | Self::ArrowCompression => Some(self.name()),
            Self::Catalog | Self::Schema | Self::TimeZone => None,
        }
    }

    /// A value it takes.
    pub fn example(self) -> &'static str {
        match self {
            Self::Purpose => "fraud-detection",
            Self::Catalog => "mesh",
            Self::Schema => "sales",
            Self::TimeZone => "Europe/Berlin",
            Self::ArrowTypes => "native",
            Self::ArrowCompression => "zstd",
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
    pub defaults: Defaults,
}

/// What a statement takes from its session besides the view. What it is planned with stays that of the time when it was first planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The SQL schema of bare table names.
    pub schema: Option<String>,
    /// An IANA name or an offset; none means times without a zone.
    pub time_zone: Option<String>,
    pub types: ArrowTypes,
    /// Nothing is planned by it: the call that fetches a result says how it travels.
    pub compression: ArrowCompression,
}

impl Defaults {
    /// Those that the columns of a result follow from.
    #[must_use]
    pub fn planned(&self) -> Self {
        Self { compression: ArrowCompression::None, ..self.clone() }
    }

    /// What is set; none where nothing is, and for settings that are not among these.
    pub(in crate::query) fn text(&self, setting: Setting) -> Option<String> {
        match setting {
            Setting::Purpose | Setting::Catalog => None,
            Setting::Schema => self.schema.clone(),
            Setting::TimeZone => self.time_zone.clone(),
            Setting::ArrowTypes => spelled(self.types, &ARROW_TYPES),
            Setting::ArrowCompression => spelled(self.compression, &ARROW_COMPRESSION),
        }
    }
}

/// Which types a result travels in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArrowTypes {
    /// Those that every driver reads.
    #[default]
    Plain,
    /// Those that the engine has.
    Native,
}

/// How the buffers of a record batch are compressed, as the IPC format of Arrow has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArrowCompression {
    #[default]
    None,
    Lz4,
    Zstd,
}

/// The value of a setting that a word stands for; the first is the one without a word.
///
/// # Errors
/// `Invalid` for another word, naming those there are.
pub(in crate::query) fn word<T: Copy>(setting: Setting, text: &str, words: &[(&str, T)]) -> Result<T> {
    let text = if text.is_empty() { words.first().map_or("", |(word, _)| word) } else { text };
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Diagnostic::error(Kind::Invalid, format!("`{}` has no such value", setting.name()))
            .hint(format!("it is one of `{}`", known.join("`, `")))
    })
}

/// None for what holds where nothing is set.
fn spelled<T: Copy + PartialEq + Default>(value: T, words: &[(&str, T)]) -> Option<String> {
    let mut set = words.iter().filter(|(_, of)| *of == value && value != T::default());
    set.next().map(|(word, _)| (*word).to_owned())
}

pub(in crate::query) const ARROW_TYPES: [(&str, ArrowTypes); 2] =
    [("plain", ArrowTypes::Plain), ("native", ArrowTypes::Native)];
pub(in crate::query) const ARROW_COMPRESSION: [(&str, ArrowCompression); 3] =
    [("none", ArrowCompression::None), ("lz4", ArrowCompression::Lz4), ("zstd", ArrowCompression::Zstd)];

/// A time zone as a caller wrote it; empty text is none.
///
/// # Errors
/// `Invalid` for text that names none.
pub(in crate::query) fn time_zone(text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<Tz>() {
        Ok(_) => Ok(Some(text.to_owned())),
        Err(_) => Err(Diagnostic::error(Kind::Invalid, "there is no such time zone")
            .hint("name one of the IANA database, as `Europe/Berlin` or `UTC`, or an offset, as `+02:00`")),
    }
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
