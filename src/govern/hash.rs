//! The key of the mask `hash`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// A domain's key: equal values stay joinable inside the domain and nowhere else. Without one, `hash` shows NULL.
#[derive(Clone)]
pub(super) struct HashKey(Option<Arc<SecretString>>);

impl HashKey {
    pub fn new(key: Option<SecretString>) -> Self {
        Self(key.map(Arc::new))
    }

    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Lower-case hexadecimal HMAC-SHA256.
    pub(super) fn hash(&self) -> Option<impl Fn(&str) -> String> {
        let key = self.0.as_ref()?;
        let mac = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).ok()?;
        Some(move |text: &str| {
            let mut mac = mac.clone();
            mac.update(text.as_bytes());
            hex(&mac.finalize().into_bytes())
        })
    }
}

/// Lower-case hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| DIGITS.get(usize::from(nibble))).collect()
}

impl PartialEq for HashKey {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => a.expose_secret() == b.expose_secret(),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for HashKey {}

impl Hash for HashKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.is_some().hash(state);
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_agree_with_rfc_4231() {
        let key = HashKey::new(Some("Jefe".to_owned().into()));
        assert_eq!(
            key.hash().unwrap()("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(HashKey::new(None).hash().is_none());
    }
}
