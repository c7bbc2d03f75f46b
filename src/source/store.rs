//! Domain → the stores that hold its data, as the operator placed them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::SpawnedReqwestConnector;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use url::Url;

use super::fence::Fence;
use super::local::Rooted;
use super::watched::{Health, Watched};
use crate::config::{S3Storage, Storage};
use crate::contract::Location;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::DomainName;

/// A domain's share of one store.
#[derive(Clone)]
pub struct Placement {
    /// Names the store in the domain's session: `s3://bucket/`, or `local://domain/`, which exists only inside the gateway.
    pub url: Url,
    /// Fenced: read-only, whole keys, nothing outside `prefix`.
    pub store: Arc<dyn ObjectStore>,
    /// Every key of the domain starts with it.
    pub prefix: Path,
    /// Whether the store answers.
    pub(super) health: Arc<Health>,
}

/// How long a store may take to answer one request, unless the operator says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placement({}{})", self.url, self.prefix)
    }
}

/// Where the data of every domain lies. A store is made when it is first asked for, so that a folder or a secret that is missing
/// takes out one domain and not the gateway.
#[derive(Debug)]
pub struct Stores {
    domains: BTreeMap<DomainName, DomainStores>,
    patience: Duration,
    /// Where requests run; none for the runtime of each caller.
    network: Option<Handle>,
}

impl Default for Stores {
    fn default() -> Self {
        Self { domains: BTreeMap::new(), patience: PATIENCE, network: None }
    }
}

#[derive(Debug, Default)]
struct DomainStores {
    local: Option<Slot>,
    s3: Option<Slot>,
}

#[derive(Debug)]
struct Slot {
    made: OnceLock<Placement>,
    from: From,
}

#[derive(Debug)]
enum From {
    Folder(PathBuf),
    S3(Box<S3Storage>),
    Given,
}

impl Stores {
    /// # Errors
    /// `Invalid` for a name that is no domain name, and for an S3 endpoint or prefix that cannot be one.
    pub fn from_config(config: &Storage) -> Result<Self> {
        let mut domains = BTreeMap::new();
        for (name, storage) in &config.domains {
            let domain: DomainName = name.parse()?;
            if let Some(s3) = &storage.s3 {
                check_s3(&domain, s3)?;
            }
            let slot = |from| Slot { made: OnceLock::new(), from };
            let stores = DomainStores {
                local: storage.root.clone().map(|root| slot(From::Folder(root))),
                s3: storage.s3.clone().map(|s3| slot(From::S3(Box::new(s3)))),
            };
            domains.insert(domain, stores);
        }
        Ok(Self { domains, ..Self::default() })
    }

    /// Sends requests from this runtime, so that a thread that computes never keeps an answer waiting.
    #[must_use]
    pub fn with_network(self, network: Option<Handle>) -> Self {
        Self { network, ..self }
    }

    /// The longest wait for one answer of a store, retries included, and the pause before a silent one is asked again. It holds for
    /// stores that are handed in later.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Hands in a store: under `s3://bucket/prefix` for contracts of type `s3`, under any other scheme for type `local`.
    pub fn insert(&mut self, domain: DomainName, url: &Url, store: Arc<dyn ObjectStore>) {
        let on_s3 = url.scheme() == "s3";
        let prefix = Path::from_url_path(url.path()).unwrap_or_default();
        let url = if on_s3 { base(url) } else { local_url(&domain) };
        let placement = fenced(&domain, (url, store), prefix, self.patience, true);
        let stores = self.domains.entry(domain).or_default();
        let slot = if on_s3 { &mut stores.s3 } else { &mut stores.local };
        *slot = Some(Slot { made: OnceLock::from(placement), from: From::Given });
    }

    /// The store that a location of this domain is in.
    ///
    /// # Errors
    /// `Invalid` when the operator gave the domain no such storage, `Unavailable` when it cannot be reached.
    pub fn placement(&self, domain: &DomainName, location: &Location) -> Result<Placement> {
        let stores = self.domains.get(domain);
        let (slot, key, what) = match location {
            Location::Local { .. } => (stores.and_then(|s| s.local.as_ref()), "root", "local"),
            Location::S3 { .. } => (stores.and_then(|s| s.s3.as_ref()), "s3", "S3"),
        };
        let slot = slot.ok_or_else(|| {
            Diagnostic::error(Kind::Unavailable, format!("domain `{domain}` has no {what} storage"))
                .hint(format!("the operator gives it one with `storage.domains.{domain}.{key}` in the configuration"))
        })?;
        if let Some(made) = slot.made.get() {
            return Ok(made.clone());
        }
        let placement = match &slot.from {
            From::Folder(root) => local(domain, root, self.patience)?,
            From::S3(s3) => amazon(domain, s3, self.patience, self.network.clone())?,
            From::Given => return Err(Diagnostic::error(Kind::Internal, "a store that was handed in is gone")),
        };
        Ok(slot.made.get_or_init(|| placement).clone())
    }
}

fn base(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_path("/");
    base
}

/// A scheme of its own: what a Delta log calls `file:///…` is then never this store.
fn local_url(domain: &DomainName) -> Url {
    // INVARIANT: a domain name is a lower-case identifier, which is a valid host.
    #[expect(clippy::expect_used, reason = "a lower-case identifier is a valid host")]
    Url::parse(&format!("local://{domain}/")).expect("a domain name is a valid host")
}

/// A store behind its fence, watched below it: what the fence refuses says nothing of the store. S3 itself lists in order.
fn fenced(
    domain: &DomainName,
    (url, store): (Url, Arc<dyn ObjectStore>),
    prefix: Path,
    patience: Duration,
    sorted: bool,
) -> Placement {
    let (on_s3, health) = (url.scheme() == "s3", Health::new(format!("{url} of {domain}"), patience));
    let watched = Arc::new(Watched::new(store, Arc::clone(&health), !on_s3));
    Placement { url, store: Arc::new(Fence::new(watched, prefix.clone(), sorted)), prefix, health }
}

fn local(domain: &DomainName, root: &std::path::Path, patience: Duration) -> Result<Placement> {
    let rooted = Rooted::new(root).map_err(|error| {
        Diagnostic::error(
            Kind::Unavailable,
            format!("cannot open `{}`, the root of domain `{domain}`: {error}", root.display()),
        )
        .hint(format!("make the folder, or correct `storage.domains.{domain}.root`"))
    })?;
    Ok(fenced(domain, (local_url(domain), Arc::new(rooted)), Path::default(), patience, true))
}

fn check_s3(domain: &DomainName, s3: &S3Storage) -> Result<()> {
    let wrong =
        |key: &str, why: &str| Diagnostic::error(Kind::Invalid, format!("`storage.domains.{domain}.s3.{key}` {why}"));
    if s3.bucket.is_empty() || s3.bucket.contains(['/', ':', '?', '#', '@', '%']) {
        return Err(wrong("bucket", "is not a bucket name").hint("give the name only, the rest belongs in `prefix`"));
    }
    Path::parse(s3.prefix.trim_matches('/')).map_err(|error| {
        wrong("prefix", &format!("is not a key prefix: {error}")).hint("write it like `gold/orders/`")
    })?;
    if let Some(endpoint) = &s3.endpoint {
        let url = Url::parse(endpoint).map_err(|error| {
            wrong("endpoint", &format!("is not a URL: {error}")).hint("write it like `http://127.0.0.1:9000`")
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(
                wrong("endpoint", "is neither `http://` nor `https://`").hint("write it like `http://127.0.0.1:9000`")
            );
        }
    }
    Ok(())
}

fn amazon(domain: &DomainName, s3: &S3Storage, patience: Duration, network: Option<Handle>) -> Result<Placement> {
    let invalid = |error: &dyn fmt::Display| {
        Diagnostic::error(Kind::Invalid, format!("cannot use the S3 storage of domain `{domain}`: {error}"))
            .hint(format!("see `storage.domains.{domain}.s3` in the configuration"))
    };
    let mut builder = builder(s3, patience)?;
    if let Some(network) = network {
        builder = builder.with_http_connector(SpawnedReqwestConnector::new(network));
    }
    let store = builder.build().map_err(|error| invalid(&error))?;
    let prefix = Path::parse(s3.prefix.trim_matches('/')).map_err(|error| invalid(&error))?;
    let url = Url::parse(&format!("s3://{}/", s3.bucket)).map_err(|error| invalid(&error))?;
    Ok(fenced(domain, (url, Arc::new(store)), prefix, patience, false))
}

/// The environment of the process is not asked: what the configuration does not say is not used.
fn builder(s3: &S3Storage, patience: Duration) -> Result<AmazonS3Builder> {
    let key = s3.access_key_id.read()?;
    let secret = s3.secret_access_key.read()?;
    let client = ClientOptions::new().with_connect_timeout(patience).with_timeout(Duration::from_mins(1));
    // A store that does not answer is a product that is out, said soon; not a query that hangs for minutes.
    let retry = RetryConfig { max_retries: 4, retry_timeout: patience, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(retry)
        .with_bucket_name(&s3.bucket)
        .with_region(&s3.region)
        .with_access_key_id(key.expose_secret())
        .with_secret_access_key(secret.expose_secret());
    if let Some(endpoint) = &s3.endpoint {
        builder = builder
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_virtual_hosted_style_request(false)
            .with_allow_http(endpoint.to_ascii_lowercase().starts_with("http://"));
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DomainStorage, SecretRef};
    use object_store::ObjectStoreExt as _;
    use object_store::aws::AmazonS3ConfigKey;
    use std::io::{Read as _, Write as _};

    fn secret(text: &str) -> (tempfile::NamedTempFile, SecretRef) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{text}").unwrap();
        let path = file.path().to_owned();
        (file, SecretRef::File(path))
    }

    fn s3(endpoint: Option<&str>, key: SecretRef, secret: SecretRef) -> S3Storage {
        S3Storage {
            bucket: "lake".to_owned(),
            prefix: "/domains/sales/".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            region: "eu-west-1".to_owned(),
            access_key_id: key,
            secret_access_key: secret,
        }
    }

    fn stores(storage: DomainStorage) -> Result<Stores> {
        Stores::from_config(&Storage { domains: BTreeMap::from([("sales".to_owned(), storage)]) })
    }

    fn domain() -> DomainName {
        "sales".parse().unwrap()
    }

    fn on_s3() -> Location {
        Location::S3 { url: "s3://lake/domains/sales/orders".to_owned() }
    }

    #[test]
    fn an_s3_store_is_built_from_the_configuration_and_its_secrets() {
        let (_a, key) = secret("AKIA");
        let (_b, word) = secret("shh");
        let built = builder(&s3(Some("http://127.0.0.1:9000"), key.clone(), word.clone()), PATIENCE).unwrap();
        let value = |key: AmazonS3ConfigKey| built.get_config_value(&key).unwrap_or_default();
        assert_eq!(value(AmazonS3ConfigKey::AccessKeyId), "AKIA");
        assert_eq!(value(AmazonS3ConfigKey::SecretAccessKey), "shh");
        assert_eq!(value(AmazonS3ConfigKey::Endpoint), "http://127.0.0.1:9000");
        assert_eq!(value(AmazonS3ConfigKey::Region), "eu-west-1");
        assert_eq!(value(AmazonS3ConfigKey::VirtualHostedStyleRequest), "false");
        let allow = AmazonS3ConfigKey::Client(object_store::ClientConfigKey::AllowHttp);
        assert_eq!(value(allow), "true");
        let secure = builder(&s3(Some("https://s3.example.org"), key.clone(), word.clone()), PATIENCE).unwrap();
        assert_ne!(secure.get_config_value(&allow).as_deref(), Some("true"));

        let stores = stores(DomainStorage { s3: Some(s3(None, key, word)), ..DomainStorage::default() }).unwrap();
        let placement = stores.placement(&domain(), &on_s3()).unwrap();
        assert_eq!((placement.url.as_str(), placement.prefix.as_ref()), ("s3://lake/", "domains/sales"));
    }

    #[test]
    fn requests_run_on_the_network_runtime() {
        let network = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            assert!(client.read(&mut [0; 4096]).unwrap() > 0);
            client.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let (_a, key) = secret("AKIA");
        let (_b, word) = secret("shh");
        let storage = DomainStorage { s3: Some(s3(Some(&endpoint), key, word)), ..DomainStorage::default() };
        let stores = stores(storage).unwrap().with_network(Some(network.handle().clone()));
        let placement = stores.placement(&domain(), &on_s3()).unwrap();
        // The caller's runtime has timers and no sockets, as a thread that computes has none to spare.
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answered = caller.block_on(placement.store.head(&Path::from("domains/sales/orders")));
        assert!(matches!(answered, Err(object_store::Error::NotFound { .. })), "{answered:?}");
        server.join().unwrap();
    }

    #[test]
    fn a_missing_secret_takes_out_the_domain_and_not_the_gateway() {
        let absent = SecretRef::File(PathBuf::from("/absent/secret"));
        let storage = DomainStorage { s3: Some(s3(None, absent.clone(), absent)), ..DomainStorage::default() };
        let error = stores(storage).unwrap().placement(&domain(), &on_s3()).unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
    }

    #[test]
    fn a_domain_without_storage_says_which_key_is_missing() {
        let error = Stores::default().placement(&domain(), &on_s3()).unwrap_err();
        assert!(error.hints[0].contains("`storage.domains.sales.s3`"), "{error:?}");
    }

    #[test]
    fn a_root_that_is_made_later_is_found() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("sales");
        let stores = stores(DomainStorage { root: Some(root.clone()), ..DomainStorage::default() }).unwrap();
        let location = Location::Local { path: "orders".to_owned() };
        assert_eq!(stores.placement(&domain(), &location).unwrap_err().kind, Kind::Unavailable);
        std::fs::create_dir(root).unwrap();
        assert_eq!(stores.placement(&domain(), &location).unwrap().url.as_str(), "local://sales/");
    }

    #[test]
    fn wrong_s3_configuration_is_refused() {
        let key = || SecretRef::Env("KEY".to_owned());
        let bad = [
            S3Storage { bucket: "lake/sales".to_owned(), ..s3(None, key(), key()) },
            S3Storage { prefix: "a/../b".to_owned(), ..s3(None, key(), key()) },
            s3(Some("ftp://x"), key(), key()),
        ];
        for s3 in bad {
            assert!(stores(DomainStorage { s3: Some(s3.clone()), ..DomainStorage::default() }).is_err(), "{s3:?}");
        }
    }
}
