//! Where each domain keeps its data. The operator owns this: a domain names only places below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SecretRef;

/// `[storage]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// `[storage.domains.<name>]`; a domain without an entry has no data to serve.
    pub domains: BTreeMap<String, DomainStorage>,
}

/// `[storage.domains.<name>]`: a local root, or a bucket prefix, and the key of its hashes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainStorage {
    /// Folder that contains all local data of the domain.
    pub root: Option<PathBuf>,
    /// Bucket and prefix that contain all S3 data of the domain.
    pub s3: Option<S3Storage>,
    /// Secret key of the mask `hash` (HMAC-SHA256). Without it `hash` shows NULL.
    pub hash_key: Option<SecretRef>,
}

/// `[storage.domains.<name>.s3]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Storage {
    pub bucket: String,
    /// Keys outside this prefix are refused. Default: the whole bucket.
    #[serde(default)]
    pub prefix: String,
    /// For servers other than AWS, for example `http://127.0.0.1:9000` (path style; plain HTTP is allowed when it says http).
    pub endpoint: Option<String>,
    /// Default `us-east-1`.
    #[serde(default = "region")]
    pub region: String,
    pub access_key_id: SecretRef,
    pub secret_access_key: SecretRef,
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl Storage {
    pub(super) fn resolve(&mut self, base: &Path) {
        for domain in self.domains.values_mut() {
            if let Some(root) = &mut domain.root {
                *root = base.join(&*root);
            }
            let s3 = domain.s3.iter_mut().flat_map(|s3| [&mut s3.access_key_id, &mut s3.secret_access_key]);
            for secret in domain.hash_key.iter_mut().chain(s3) {
                secret.resolve(base);
            }
        }
    }
}
