//! A folder of the local file system as a store that no link leads out of.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// Keys are paths below the root. A link is followed only where it ends inside the root, and only regular files are read.
/// Who may write to the folder while it is read could still win a race; such a person can read it anyway.
///
/// Entity tags tell when the file's inode was changed, which nobody can set back as the time of its content can be.
#[derive(Debug, Clone)]
pub(super) struct Rooted {
    inner: Arc<LocalFileSystem>,
    root: PathBuf,
}

/// What is found under a key.
enum Found {
    /// With the time of the last change of its inode.
    Admitted(Option<String>),
    Outside,
    Special,
}

impl Rooted {
    /// # Errors
    /// When the root is not a folder.
    pub(super) fn new(root: &std::path::Path) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(root)?;
        let real = root
            .canonicalize()
            .map_err(|source| Error::NotFound { path: root.display().to_string(), source: source.into() })?;
        Ok(Self { inner: Arc::new(inner), root: real })
    }

    async fn admit(&self, key: &Path) -> Result<Option<String>> {
        let refuse = |why: &'static str| Err(Error::PermissionDenied { path: key.to_string(), source: why.into() });
        let (path, root) = (self.inner.path_to_filesystem(key)?, self.root.clone());
        // In one piece: each piece waits for a thread.
        let found = tokio::task::spawn_blocking(move || {
            // What is not there is for the store to say.
            let Ok(real) = path.canonicalize() else { return Found::Admitted(None) };
            match (real.starts_with(&root), std::fs::metadata(&real)) {
                (false, _) => Found::Outside,
                (true, Ok(meta)) if !meta.is_file() && !meta.is_dir() => Found::Special,
                (true, meta) => Found::Admitted(meta.ok().map(|meta| changed(&meta))),
            }
        });
        match found.await {
            Ok(Found::Admitted(changed)) => Ok(changed),
            Ok(Found::Outside) => refuse("it is a link that leads out of the domain's root"),
            Ok(Found::Special) => refuse("it is not a regular file"),
            Err(source) => Err(Error::JoinError { source }),
        }
    }

    fn admitted(&self, found: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let rooted = self.clone();
        found
            .and_then(move |meta| {
                let rooted = rooted.clone();
                async move { rooted.admit(&meta.location).await.map(|changed| stamped(meta, changed)) }
            })
            .boxed()
    }
}

#[cfg(unix)]
fn changed(meta: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{:x}.{:x}", meta.ctime(), meta.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &std::fs::Metadata) -> String {
    String::new()
}

fn stamped(meta: ObjectMeta, changed: Option<String>) -> ObjectMeta {
    let e_tag = match (&meta.e_tag, changed) {
        (Some(tag), Some(changed)) => Some(format!("{tag}-{changed}")),
        _ => meta.e_tag,
    };
    ObjectMeta { e_tag, ..meta }
}

impl fmt::Display for Rooted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rooted")
    }
}

#[async_trait::async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Rooted {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.admit(key).await?;
        let expected = options.if_match.clone();
        let mut found = self.inner.get_opts(key, GetOptions { if_match: None, ..options }).await?;
        if let GetResultPayload::File(file, _) = &found.payload {
            // Of the open file itself, whatever the name leads to by now. It waits for no disk.
            found.meta = stamped(found.meta, file.metadata().ok().map(|meta| changed(&meta)));
        }
        match expected {
            Some(expected) if expected != "*" && found.meta.e_tag.as_ref() != Some(&expected) => {
                Err(Error::Precondition { path: key.to_string(), source: "the file was changed".into() })
            }
            _ => Ok(found),
        }
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.admit(key).await?;
        self.inner.get_ranges(key, ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.admitted(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.admitted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.inner.list_with_delimiter(prefix).await?;
        for key in &found.common_prefixes {
            self.admit(key).await?;
        }
        let mut objects = Vec::with_capacity(found.objects.len());
        for meta in found.objects {
            let changed = self.admit(&meta.location).await?;
            objects.push(stamped(meta, changed));
        }
        Ok(ListResult { objects, ..found })
    }

    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use object_store::ObjectStoreExt;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn a_link_is_followed_only_inside_the_root() {
        let home = tempfile::tempdir().unwrap();
        let (root, hr) = (home.path().join("sales"), home.path().join("hr"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&hr).unwrap();
        fs::write(hr.join("salaries"), "secret").unwrap();
        fs::write(root.join("orders"), "orders").unwrap();
        symlink(root.join("orders"), root.join("inside")).unwrap();
        let store = Rooted::new(&root).unwrap();
        assert_eq!(store.get(&"inside".into()).await.unwrap().bytes().await.unwrap().as_ref(), b"orders");
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 2);

        symlink(&hr, root.join("folder")).unwrap();
        symlink(hr.join("salaries"), root.join("file")).unwrap();
        for key in ["folder/salaries", "file"] {
            let error = store.get(&key.into()).await.unwrap_err();
            assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
            assert!(store.head(&key.into()).await.is_err());
            assert!(store.get_ranges(&key.into(), &[0..3, 2..4]).await.is_err());
        }
        assert!(store.list(None).try_collect::<Vec<_>>().await.is_err());
        assert!(store.list_with_delimiter(None).await.is_err());
    }

    #[tokio::test]
    async fn a_missing_root_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        assert!(Rooted::new(&home.path().join("absent")).is_err());
    }
}
