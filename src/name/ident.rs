//! Single words.

use std::fmt;
use std::str::FromStr;

/// Why a word is not a name; the hint says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a valid {what}: {why}")]
pub struct NameError {
    pub what: &'static str,
    pub given: String,
    pub why: &'static str,
    pub hint: String,
}

const MAX_LENGTH: usize = 128;

/// Words that Cedar or the gateway keeps for itself; a domain or dataset of that name could not be spoken of.
const RESERVED: [&str; 12] =
    ["in", "is", "has", "like", "if", "then", "else", "true", "false", "meshgate", "information_schema", "governance"];

fn identifier(what: &'static str, text: &str) -> Result<String, NameError> {
    let fail = |why, hint: String| Err(NameError { what, given: shorten(text), why, hint });
    let suggestion = || {
        let lowered: String =
            text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        format!("use lower-case letters, digits and `_`, starting with a letter, for example `{}`", shorten(&lowered))
    };
    if text.is_empty() {
        return fail("it is empty", format!("give the {what} a name"));
    }
    if text.len() > MAX_LENGTH {
        return fail("it is longer than 128 bytes", "choose a shorter name".to_owned());
    }
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !starts_well || !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        return fail("it is not a lower-case SQL identifier", suggestion());
    }
    if RESERVED.contains(&text) || text.starts_with("__cedar") {
        return fail("it is a reserved word", format!("choose another word, for example `{text}_data`"));
    }
    Ok(text.to_owned())
}

fn word(what: &'static str, text: &str) -> Result<String, NameError> {
    let fail = |why, hint: &str| Err(NameError { what, given: shorten(text), why, hint: hint.to_owned() });
    if text.is_empty() {
        return fail("it is empty", "give it a name");
    }
    if text.len() > MAX_LENGTH {
        return fail("it is longer than 128 bytes", "choose a shorter name");
    }
    if text.trim() != text {
        return fail("it starts or ends with white space", "names compare exactly; remove the white space");
    }
    if text.chars().any(char::is_control) {
        return fail("it has a control character", "remove it");
    }
    Ok(text.to_owned())
}

/// True for what has no width, separates lines, or turns the direction of text.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A word that a person can read back: what turns the direction of text or is not seen could pass for another.
fn visible(what: &'static str, text: &str) -> Result<String, NameError> {
    let name = word(what, text)?;
    if name.contains(is_unseen) {
        let given = name.chars().filter(|c| !is_unseen(*c)).collect::<String>();
        return Err(NameError {
            what,
            given: shorten(&given),
            why: "it has a character that is not seen",
            hint: "remove it, or type the text anew".to_owned(),
        });
    }
    Ok(name)
}

fn column(what: &'static str, text: &str) -> Result<String, NameError> {
    let name = word(what, text)?;
    if name.contains('.') {
        return Err(NameError {
            what,
            given: name,
            why: "it has a dot",
            hint: "dots separate the fields of a struct; use `_`".to_owned(),
        });
    }
    Ok(name)
}

/// Keeps an error short whatever was given.
fn shorten(text: &str) -> String {
    let mut out: String = text.chars().take(64).filter(|c| !c.is_control()).collect();
    if text.chars().count() > 64 {
        out.push('…');
    }
    out
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $check:ident($what:literal);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> { $check($what, text).map(|s| Self(s.into())) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:?}", &self.0) }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str { &self.0 }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str { &self.0 }
        }
    )*};
}

names! {
    /// An owning business area; the SQL schema. A lower-case SQL identifier.
    DomainName = identifier("domain name");
    /// An owned, versioned unit: one contract. A lower-case SQL identifier.
    ProductName = identifier("product name");
    /// One ODCS schema object; the SQL table. A lower-case SQL identifier.
    DatasetName = identifier("dataset name");
    /// One column or struct field, as the contract names it. Any text without dots or control characters.
    ColumnName = column("column name");
    /// A role as `mesh.yaml` declares it; compares exactly, never folded or trimmed.
    RoleName = word("role");
    /// A tag as `mesh.yaml` declares it; compares exactly.
    Tag = word("tag");
    /// A classification as `mesh.yaml` declares it; compares exactly.
    Classification = word("classification");
    /// What a session says it is for; compares exactly.
    Purpose = visible("purpose");
    /// The name of an authenticated caller.
    PrincipalName = word("principal name");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_lower_case_and_unreserved() {
        assert_eq!("order_lines".parse::<DatasetName>().unwrap().as_str(), "order_lines");
        for bad in ["", "Orders", "1st", "a-b", "a.b", "../x", "in", "meshgate", "sché"] {
            assert!(bad.parse::<DomainName>().is_err(), "{bad}");
        }
        let error = "Order Lines".parse::<DatasetName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`Order Lines` is not a valid dataset name: it is not a lower-case SQL identifier"
        );
        assert!(error.hint.contains("`order_lines`"));
    }

    #[test]
    fn words_compare_exactly() {
        assert_ne!("Analyst".parse::<RoleName>().unwrap(), "analyst".parse::<RoleName>().unwrap());
        assert!(" analyst".parse::<RoleName>().is_err());
        assert!("a.b".parse::<ColumnName>().is_err());
        assert_eq!("fraud detection – EU".parse::<Purpose>().unwrap().as_str(), "fraud detection – EU");
        for bad in ["", " fraud", "fraud\n", "fr\u{200b}aud", "\u{202e}duarf", "fr\u{7}aud", &"x".repeat(129)] {
            assert!(bad.parse::<Purpose>().is_err(), "{bad:?}");
        }
        let error = "fr\u{200b}aud".parse::<Purpose>().unwrap_err();
        assert_eq!(error.to_string(), "`fraud` is not a valid purpose: it has a character that is not seen");
    }
}
