//! What a login sets, and what one request of it says by itself.

use std::sync::Arc;

use super::session::{Request, Session};
use super::setting::{
    self, ARROW_COMPRESSION, ARROW_TYPES, ArrowCompression, ArrowTypes, Change, Setting, Values, word,
};
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::discovery::{MeshSchema, information_schema};
use crate::name::Purpose;

/// A change that may be made.
enum Checked {
    Purpose(Option<Purpose>),
    Catalog,
    Schema(Option<String>),
    TimeZone(Option<String>),
    Types(ArrowTypes),
    Compression(ArrowCompression),
}

impl Checked {
    fn apply(self, values: &mut Values) {
        match self {
            Self::Purpose(purpose) => values.purpose = purpose,
            Self::Catalog => {}
            Self::Schema(schema) => values.defaults.schema = schema,
            Self::TimeZone(zone) => values.defaults.time_zone = zone,
            Self::Types(types) => values.defaults.types = types,
            Self::Compression(compression) => values.defaults.compression = compression,
        }
    }
}

impl Session {
    /// One request of this login: what is set now holds for it to its end. What the request says itself wins over what the login
    /// has set. `kept` says whether the login outlives the request.
    ///
    /// # Errors
    /// `Invalid` for a value that is none.
    pub fn request(&self, says: &[(Setting, &str)], kept: bool) -> Result<Arc<Self>> {
        let mut values = self.values();
        for (setting, text) in says {
            self.checked(*setting, text)?.apply(&mut values);
        }
        let said = says.iter().map(|(setting, _)| *setting).collect();
        Ok(self.for_request(Request { values, said, kept }))
    }

    /// What is set; the catalog always is.
    pub fn settings(&self) -> Vec<(Setting, String)> {
        let Values { purpose, defaults } = self.values();
        let text = |setting| match setting {
            Setting::Purpose => purpose.as_ref().map(ToString::to_string),
            Setting::Catalog => Some(self.catalog()),
            other => defaults.text(other),
        };
        Setting::ALL.into_iter().filter_map(|setting| Some((setting, text(setting)?))).collect()
    }

    /// Changes the login, for its requests from now on.
    ///
    /// # Errors
    /// `Invalid` for the value, `Stale` where there is no login to change or the request itself says otherwise.
    pub fn set(&self, change: &Change) -> Result<()> {
        let checked = self.check(change)?;
        self.login.settings.change(|values| checked.apply(values));
        Ok(())
    }

    /// # Errors
    /// Those of [`Self::set`].
    pub(in crate::query) fn may_set(&self, change: &Change) -> Result<()> {
        self.check(change).map(|_| ())
    }

    fn check(&self, change: &Change) -> Result<Checked> {
        let setting = change.setting;
        let refuse = |why: &str, hint: String| {
            let message = format!("`{}` cannot be set: this call {why}", setting.name());
            Err(Diagnostic::error(Kind::Stale, message).hint(hint))
        };
        match &self.request {
            Some(Request { kept: false, .. }) => {
                let login = "log in with Handshake, as drivers do with user and password";
                let header = setting.header().map(|name| format!(", or send the header `{name}`")).unwrap_or_default();
                return refuse("belongs to no session", format!("{login}{header}"));
            }
            Some(Request { said, .. }) if said.contains(&setting) => {
                let header = setting.header().unwrap_or_default();
                let hint = format!("leave out the header `{header}`, or change it instead");
                return refuse("says its value itself, and that wins", hint);
            }
            _ => {}
        }
        self.checked(setting, change.value.as_deref().unwrap_or_default())
    }

    fn checked(&self, setting: Setting, text: &str) -> Result<Checked> {
        match setting {
            Setting::Purpose => setting::purpose(text, &self.generation_now().snapshot().mesh).map(Checked::Purpose),
            Setting::Catalog if text.is_empty() || text == self.catalog() => Ok(Checked::Catalog),
            Setting::Catalog => Err(Diagnostic::error(Kind::Invalid, "there is no such catalog")
                .hint(format!("the catalog is `{}`", self.catalog()))),
            Setting::Schema if text.is_empty() => Ok(Checked::Schema(None)),
            // What may not be known of is answered as what is not there.
            Setting::Schema => {
                let own = [information_schema::NAME, MeshSchema::NAME];
                if own.contains(&text) || self.domains()?.iter().any(|domain| domain == text) {
                    return Ok(Checked::Schema(Some(text.to_owned())));
                }
                Err(Diagnostic::error(Kind::Invalid, "there is no such schema")
                    .hint("`SHOW SCHEMAS` lists the domains"))
            }
            Setting::TimeZone => setting::time_zone(text).map(Checked::TimeZone),
            Setting::ArrowTypes => word(setting, text, &ARROW_TYPES).map(Checked::Types),
            Setting::ArrowCompression => word(setting, text, &ARROW_COMPRESSION).map(Checked::Compression),
        }
    }
}
