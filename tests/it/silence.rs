//! Stores that fall silent: they hold up the statements that read them, for a while that is known, and no others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

use crate::harness::{Fixture, Mesh};

/// How long a store may be silent, and then is left alone.
const PATIENCE: Duration = Duration::from_millis(300);
const COUNT: &str = "SELECT count(*) AS n FROM sales.orders";

/// A store that takes requests and answers none while it is silent.
#[derive(Debug)]
struct Mute {
    inner: Arc<InMemory>,
    silent: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Mute {
    fn new(inner: &Arc<InMemory>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(inner), silent: Arc::default(), asked: Arc::default() })
    }

    fn fall_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A request begins when it is polled, as that of a listing over a network does.
    fn ask(&self) -> impl Future<Output = ()> + Send + use<> {
        let (silent, asked) = (Arc::clone(&self.silent), Arc::clone(&self.asked));
        async move {
            asked.fetch_add(1, Ordering::SeqCst);
            if silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mute")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Mute {
    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        self.ask().await;
        self.inner.get_opts(key, options).await
    }

    async fn get_ranges(&self, key: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.ask().await;
        self.inner.get_ranges(key, ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (asked, found) = (self.ask(), self.inner.list(prefix));
        stream::once(asked)
            .map(move |()| stream::empty().boxed())
            .chain(stream::once(async { found }))
            .flatten()
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.ask().await;
        self.inner.list_with_delimiter(prefix).await
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
}

/// `sales` as ever, and the same once more as the domain `stock`.
fn text(format: &str) -> String {
    let sales = include_str!("fixtures/regions.txt");
    let stock = &sales[sales.find("//- sales/domain.yaml").unwrap()..];
    let stock = stock.replace("sales", "stock");
    let text = format!("{sales}\n{stock}");
    if format == "parquet" {
        return text;
    }
    text.replace("path: \"{model}.parquet\", format: parquet", "path: \"{model}\", format: delta")
        .replace("/orders.parquet\n", "/orders/\n")
        .replace("/secrets.parquet\n", "/secrets/\n")
}

async fn mesh(text: &str, patience: Duration) -> (Mesh, Arc<Mute>) {
    let fixture = Fixture::parse(text);
    let stores = fixture.stores().await;
    let mute = Mute::new(&stores["sales"]);
    let placed = [
        ("sales".to_owned(), Arc::clone(&mute) as Arc<dyn ObjectStore>),
        ("stock".to_owned(), Arc::clone(&stores["stock"]) as Arc<dyn ObjectStore>),
    ];
    (Mesh::over_with_patience(&fixture, placed.into(), patience), mute)
}

/// One of many statements beside a silent store: all of these work.
async fn others_are_answered(mesh: &Mesh) {
    for (sql, expect) in [
        ("SELECT count(*) AS n FROM stock.orders", "n Int64\n2"),
        ("SELECT 1 AS n", "n Int64\n1"),
        ("SELECT count(*) > 0 AS n FROM information_schema.columns", "n Boolean\ntrue"),
        ("SELECT * FROM sales.orders WHERE 1 = 0", "order_id Int64 | region Utf8 | amount Int64"),
    ] {
        assert_eq!(mesh.answer("ana", sql).await, expect, "{sql}");
    }
    assert!(mesh.answer("ana", "SHOW TABLES").await.contains("orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_store_holds_up_its_domain_only() {
    // Nothing of `sales` is answered while the test lasts.
    let (mesh, mute) = mesh(&text("parquet"), Duration::from_mins(5)).await;
    mute.fall_silent(true);
    let session = mesh.session("ana");
    let held: Vec<_> = (0..50)
        .map(|_| {
            let session = Arc::clone(&session);
            tokio::spawn(async move { crate::harness::run(&session, COUNT).await })
        })
        .collect();
    while mute.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    others_are_answered(&mesh).await;
    assert!(held.iter().all(|task| !task.is_finished()), "those of the silent store wait all the while");
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_store_is_given_up_and_heals() {
    for format in ["parquet", "delta"] {
        let (mesh, mute) = mesh(&text(format), PATIENCE).await;
        assert_eq!(mesh.answer("ana", COUNT).await, "n Int64\n2", "{format}");
        mute.fall_silent(true);
        let unavailable = |answer: &str| {
            assert!(
                answer.starts_with("Unavailable: the product cannot be read now (`sales.orders`"),
                "{format}: {answer}"
            );
            assert!(!answer.contains("local:") && !answer.contains("ms") && !answer.contains("log file"), "{answer}");
        };
        let begun = Instant::now();
        for answer in join_all((0..50).map(|_| mesh.answer("ana", COUNT))).await {
            unavailable(&answer);
        }
        // Each of the requests of one statement may take that long.
        assert!(begun.elapsed() < PATIENCE * 20, "{format}: {:?}", begun.elapsed());
        // The circuit opens after some silences in a row, and then nothing is asked.
        let mut asked = mute.asked();
        for _ in 0..10 {
            unavailable(&mesh.answer("ana", COUNT).await);
            let now = mute.asked();
            if now == asked {
                break;
            }
            asked = now;
        }
        let before = mute.asked();
        let begun = Instant::now();
        unavailable(&mesh.answer("ana", COUNT).await);
        if begun.elapsed() < PATIENCE / 2 {
            assert_eq!(mute.asked(), before, "{format}: a store that is left alone was asked");
        }
        others_are_answered(&mesh).await;

        mute.fall_silent(false);
        let healed = async {
            while mesh.answer("ana", COUNT).await != "n Int64\n2" {
                tokio::time::sleep(PATIENCE / 10).await;
            }
        };
        // A failure is repeated for a second, and a pause may have to pass.
        tokio::time::timeout(Duration::from_secs(20), healed).await.expect("a probe heals");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn read_that_stalls_ends_the_statement() {
    let (mesh, mute) = mesh(&text("parquet"), PATIENCE).await;
    assert_eq!(mesh.answer("ana", "SELECT count(*) AS n FROM sales.orders").await, "n Int64\n2");
    // It is open, for ten seconds nobody lists again, and then the data cannot be read.
    mute.fall_silent(true);
    let begun = Instant::now();
    let answer = mesh.answer("ana", "SELECT sum(amount) AS n FROM sales.orders").await;
    assert!(answer.starts_with("Unavailable: the product cannot be read now (`sales.orders`"), "{answer}");
    assert!(begun.elapsed() < PATIENCE * 20, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_statement_leaves_the_look_to_others() {
    let (mesh, mute) = mesh(&text("parquet"), Duration::from_mins(5)).await;
    mute.fall_silent(true);
    let session = mesh.session("ana");
    let mut first = Box::pin(crate::harness::run(&session, COUNT));
    while mute.asked() == 0 {
        assert!((&mut first).now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let asked = mute.asked();
    let mut second = Box::pin(crate::harness::run(&session, COUNT));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut second).await.is_err());
    drop(first);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut second).await.is_err());
    assert_eq!(mute.asked(), asked, "the look of the first goes on for the second");
}
