//! References to secrets; the secret itself never stands in the configuration.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

use crate::diagnostic::{Diagnostic, Kind, Result};

/// `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
}

impl TryFrom<String> for SecretRef {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // The text is not repeated: it may be the secret itself.
            _ => Err("a secret is named by `env:NAME` or `file:PATH`, never written down here".to_owned()),
        }
    }
}

impl SecretRef {
    pub(super) fn resolve(&mut self, base: &Path) {
        if let Self::File(path) = self {
            *path = base.join(&*path);
        }
    }

    /// Reads the secret; white space at the end of a file is dropped.
    ///
    /// # Errors
    /// `Unavailable` naming the reference, never the value.
    pub fn read(&self) -> Result<SecretString> {
        let missing = |what: String| {
            Diagnostic::error(Kind::Unavailable, what).hint("set it before the gateway starts, or change the reference")
        };
        match self {
            Self::Env(name) => super::environment(name)
                .map(SecretString::from)
                .ok_or_else(|| missing(format!("the environment variable `{name}` is not set"))),
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| missing(format!("cannot read the secret file `{}`: {error}", path.display())))?;
                // An empty key would hash with no secret at all.
                match text.trim_end() {
                    "" => Err(missing(format!("the secret file `{}` is empty", path.display()))),
                    secret => Ok(SecretString::from(secret)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn an_empty_file_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |text: &str| {
            let path = folder.path().join("key");
            std::fs::write(&path, text).unwrap();
            SecretRef::File(path).read()
        };
        assert_eq!(secret("salt and pepper\n").unwrap().expose_secret(), "salt and pepper");
        for empty in ["", "\n", " \n"] {
            let error = secret(empty).unwrap_err();
            assert!(error.message.ends_with("is empty"), "{}", error.message);
        }
    }
}
