//! Every dataset that was opened, and how old that is.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use object_store::ObjectMeta;
use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};

use super::conform::Conformed;
use super::damaged::Damaged;
use super::location::Place;
use super::store::{Placement, Stores};
use super::text::{self, TextFormat};
use super::{Open, RawTable, delta, parquet};
use crate::contract::Format;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::engine::{Engine, PrivateSession};
use crate::mesh::{Product, TableEntry};
use crate::name::{DomainName, QualifiedTable};

/// How old an opened dataset may be before the next query looks for new data. A query keeps the files it began with. A Delta table is
/// looked at by each query: one listing tells whether its log has grown.
pub const REFRESH: Duration = Duration::from_secs(10);
/// How long a failure is answered again without asking the store, so that one that is down is not asked by every query.
const REPEAT_FAILURE: Duration = Duration::from_secs(1);

/// What is known of a dataset's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not looked at yet.
    Declared,
    /// Its data is what the contract promises.
    Verified,
    /// Statements that read one of the columns fail; the others are answered.
    Partial { why: Diagnostic },
    /// Statements that read a damaged file fail; the others are answered.
    Damaged { why: Diagnostic },
    /// Not served until the next look finds it in order.
    Out { why: Diagnostic },
}

/// Statements that may wait for the storage of one domain at once; others are refused instead of filling the gateway.
const WAITING: usize = 256;

/// The gateway's [`Open`]: opens each dataset once for all who ask, and looks for new data when it is asked again later.
pub struct Sources {
    looker: Arc<Looker>,
    refresh: Duration,
    slots: Mutex<HashMap<QualifiedTable, Arc<Slot>>>,
    waiting: Mutex<HashMap<DomainName, Arc<Semaphore>>>,
}

/// Looks at storage, for as long as that takes.
struct Looker {
    engine: Arc<Engine>,
    stores: Stores,
    sessions: Mutex<HashMap<(DomainName, String), Arc<PrivateSession>>>,
}

/// One dataset of one contract; another contract under the same name gets another.
struct Slot {
    product: Arc<Product>,
    dataset: usize,
    opened: Arc<tokio::sync::Mutex<Option<Looked>>>,
    state: Mutex<State>,
    /// Shared by the datasets of a domain.
    waiting: Arc<Semaphore>,
}

struct Looked {
    at: Instant,
    outcome: Result<Arc<RawTable>>,
    place: Option<Place>,
    memory: Memory,
}

impl Looked {
    /// For a Delta table that was opened, where its log is and the commit it ended with.
    fn commit(&self) -> Option<(Place, u64, ObjectMeta)> {
        let Memory::Delta(known) = &self.memory else { return None };
        if known.is_outdated() {
            return None;
        }
        let (version, commit) = known.newest()?;
        Some((self.place.clone()?, version, commit))
    }

    /// Whether it is too old to be answered again without asking the store.
    fn is_stale(&self, refresh: Duration) -> bool {
        let fresh = match &self.outcome {
            Ok(raw) if raw.first_unreadable().is_none() && raw.damaged().is_none() => refresh,
            // The file that was there then is gone: what is there now may be in order.
            Err(why) if why.kind == Kind::Stale => Duration::ZERO,
            Ok(_) | Err(_) => refresh.min(REPEAT_FAILURE),
        };
        self.memory.is_outdated() || self.at.elapsed() >= fresh
    }
}

/// What the next look need not read again.
#[derive(Default)]
enum Memory {
    #[default]
    Nothing,
    Parquet(parquet::Checked),
    Delta(Box<delta::Known>),
    Text(text::Known),
}

impl Memory {
    /// True once a reader found another file than the one that was opened.
    fn is_outdated(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Parquet(known) => known.is_outdated(),
            Self::Delta(known) => known.is_outdated(),
            Self::Text(known) => known.is_outdated(),
        }
    }
}

impl Sources {
    pub fn new(engine: Arc<Engine>, stores: Stores) -> Self {
        let looker = Arc::new(Looker { engine, stores, sessions: Mutex::default() });
        Self { looker, refresh: REFRESH, slots: Mutex::default(), waiting: Mutex::default() }
    }

    /// Another interval than [`REFRESH`]; zero looks again for every query.
    #[must_use]
    pub fn with_refresh(self, refresh: Duration) -> Self {
        Self { refresh, ..self }
    }

    /// What is known without looking.
    pub fn state(&self, entry: &TableEntry) -> State {
        let slot = self.slot(entry);
        slot.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks, for a pass at start-up. A store that is silent meanwhile is not held against the statements of readers.
    pub async fn verify(&self, entry: &TableEntry) -> State {
        let placement = self.placement(entry);
        let _lenience = placement.as_ref().map(|placement| placement.health.be_lenient());
        match self.open(entry).await {
            Ok(_) => self.state(entry),
            Err(why) => State::Out { why },
        }
    }

    /// True if the store of a dataset did not answer the last request.
    pub fn is_store_silent(&self, entry: &TableEntry) -> bool {
        self.placement(entry).is_some_and(|placement| placement.health.is_silent())
    }

    pub(super) fn place(&self, entry: &TableEntry) -> Result<Place> {
        Place::resolve(&self.looker.stores, entry)
    }

    fn placement(&self, entry: &TableEntry) -> Option<Placement> {
        let contract = &entry.product.contract;
        self.looker.stores.placement(&contract.domain, &contract.server.location).ok()
    }

    /// Rows as far as they are cheap to know, for the operator's table only: it counts what policy hides.
    pub async fn row_count(&self, entry: &TableEntry) -> Option<u64> {
        self.open(entry).await.ok()?;
        let (place, known) = {
            let slot = self.slot(entry);
            let opened = slot.opened.lock().await;
            let looked = opened.as_ref()?;
            match &looked.memory {
                Memory::Nothing => return None,
                Memory::Parquet(checked) => return Some(checked.row_count()),
                Memory::Delta(known) => return known.row_count(),
                Memory::Text(known) => (looked.place.clone()?, known.clone()),
            }
        };
        let layout = Arc::new(entry.product.contract.server.layout.clone());
        text::row_count(&place, &known, text_format(entry)?, &layout).await
    }

    fn slot(&self, entry: &TableEntry) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.get(&entry.table).filter(|slot| {
            slot.dataset == entry.dataset
                && (Arc::ptr_eq(&slot.product, &entry.product) || slot.product == entry.product)
        });
        if let Some(slot) = known {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot {
            product: Arc::clone(&entry.product),
            dataset: entry.dataset,
            opened: Arc::default(),
            state: Mutex::new(State::Declared),
            waiting: self.waiting(&entry.product.contract.domain),
        });
        slots.insert(entry.table.clone(), Arc::clone(&slot));
        slot
    }

    fn waiting(&self, domain: &DomainName) -> Arc<Semaphore> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let made = waiting.entry(domain.clone()).or_insert_with(|| Arc::new(Semaphore::new(WAITING)));
        Arc::clone(made)
    }

    /// Looks in a task of its own: a statement that is called off takes nothing away from others that wait for the same look. Each
    /// request below has a limit, so the task ends.
    async fn look(&self, slot: &Arc<Slot>, mut opened: Turn, entry: &TableEntry) -> Result<Arc<RawTable>> {
        let (storage, held, entry) = (Arc::clone(&self.looker), Arc::clone(slot), entry.clone());
        let look = async move {
            let memory = opened.take().map(|looked| looked.memory).unwrap_or_default();
            // What was there before is not served when the look fails: it may be what the owner took away.
            let mut found = Box::pin(storage.look(&entry, memory)).await;
            if matches!(&found, Err(why) if why.kind == Kind::Stale) {
                found = Box::pin(storage.look(&entry, Memory::Nothing)).await;
            }
            let looked = match found {
                Ok((raw, place, memory)) => Looked { at: Instant::now(), outcome: Ok(raw), place: Some(place), memory },
                Err(why) => Looked { at: Instant::now(), outcome: Err(why), place: None, memory: Memory::Nothing },
            };
            let state = match &looked.outcome {
                Ok(raw) => match (raw.first_unreadable(), raw.damaged()) {
                    (Some(why), _) => State::Partial { why: why.clone() },
                    (None, Some(why)) => State::Damaged { why: why.clone() },
                    (None, None) => State::Verified,
                },
                Err(why) => State::Out { why: why.clone() },
            };
            *held.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
            let outcome = looked.outcome.clone();
            *opened = Some(looked);
            outcome
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "all who wait for the look share it, and it ends with its requests"
        )]
        let looked = tokio::spawn(look).await;
        looked.unwrap_or_else(|error| {
            Err(Diagnostic::error(Kind::Internal, format!("the look at `{}` ended: {error}", slot.product.name)))
        })
    }
}

type Turn = OwnedMutexGuard<Option<Looked>>;

impl Slot {
    /// Waits until nobody looks, if there is room to wait.
    async fn turn(&self) -> Result<(Turn, Option<SemaphorePermit<'_>>)> {
        if let Ok(free) = Arc::clone(&self.opened).try_lock_owned() {
            return Ok((free, None));
        }
        let place = self.place_to_wait()?;
        Ok((Arc::clone(&self.opened).lock_owned().await, Some(place)))
    }

    fn place_to_wait(&self) -> Result<SemaphorePermit<'_>> {
        self.waiting.try_acquire().map_err(|_| {
            let domain = &self.product.contract.domain;
            Diagnostic::error(Kind::Unavailable, format!("too many statements wait for the storage of `{domain}`"))
                .hint("look whether the storage answers, and how fast")
        })
    }
}

impl Looker {
    /// One for each domain and store: neither stores nor caches are shared with another.
    fn session(&self, domain: &DomainName, placement: &Placement) -> Result<Arc<PrivateSession>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (domain.clone(), placement.url.to_string());
        if let Some(session) = sessions.get(&key) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.engine.private(&placement.url, Arc::clone(&placement.store))?);
        sessions.insert(key, Arc::clone(&session));
        Ok(session)
    }

    /// A reader that panics over damaged bytes ends this look, and no other.
    async fn look(&self, entry: &TableEntry, memory: Memory) -> Result<(Arc<RawTable>, Place, Memory)> {
        let looked = AssertUnwindSafe(Box::pin(self.look_at(entry, memory))).catch_unwind().await;
        looked.unwrap_or_else(|_| Err(Damaged::panicked().diagnostic()))
    }

    async fn look_at(&self, entry: &TableEntry, memory: Memory) -> Result<(Arc<RawTable>, Place, Memory)> {
        let contract = &entry.product.contract;
        let dataset = &*entry.dataset().served();
        let place = Place::resolve(&self.stores, entry)?;
        let session = self.session(&contract.domain, &place.placement)?;
        let (opened, memory) = match contract.server.format {
            Format::Parquet => {
                let known = if let Memory::Parquet(known) = memory { known } else { parquet::Checked::default() };
                let (conformed, checked) = parquet::open(&place, dataset, &session, &known).await?;
                (raw(conformed, session).with_watch(checked.watch()), Memory::Parquet(checked))
            }
            Format::Delta => {
                let known = if let Memory::Delta(known) = memory { Some(*known) } else { None };
                let (conformed, known) = delta::open(&place, dataset, &session, known).await?;
                (raw(conformed, session).with_watch(known.watch()), Memory::Delta(Box::new(known)))
            }
            Format::Csv | Format::Json => {
                let format = if contract.server.format == Format::Csv { TextFormat::Csv } else { TextFormat::Json };
                let layout = Arc::new(contract.server.layout.clone());
                let known = if let Memory::Text(known) = memory { known } else { text::Known::default() };
                let (conformed, known) = text::open(&place, dataset, format, &layout, &known).await?;
                (raw(conformed, session), Memory::Text(known))
            }
        };
        Ok((Arc::new(opened), place, memory))
    }
}

fn raw(conformed: Conformed, session: Arc<PrivateSession>) -> RawTable {
    let raw = RawTable::new(conformed.plan, session, conformed.drift);
    raw.with_unreadable(conformed.unreadable).with_damaged(conformed.damaged)
}

fn text_format(entry: &TableEntry) -> Option<TextFormat> {
    match entry.product.contract.server.format {
        Format::Csv => Some(TextFormat::Csv),
        Format::Json => Some(TextFormat::Json),
        Format::Parquet | Format::Delta => None,
    }
}

#[async_trait::async_trait]
impl Open for Sources {
    fn state(&self, entry: &TableEntry) -> State {
        Self::state(self, entry)
    }

    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>> {
        let slot = self.slot(entry);
        let came = Instant::now();
        // Who comes while another looks waits for what that one finds.
        let (mut opened, mut place_to_wait) = slot.turn().await?;
        if let Some(looked) = opened.as_ref() {
            let (at, outcome) = (looked.at, looked.outcome.clone());
            if outcome.is_err() && at >= came {
                return outcome;
            }
            if let Some((place, version, commit)) = looked.commit() {
                // Others need not wait for this answer, which says nothing of commits that come after it was asked for.
                drop((opened, place_to_wait));
                if delta::is_newest(&place, version, &commit).await? {
                    return outcome;
                }
                (opened, place_to_wait) = slot.turn().await?;
                // A newer one began after this query came, since nobody looks while the lock is held: it sees every commit before it.
                if let Some(newer) = opened.as_ref().filter(|looked| looked.at > at) {
                    return newer.outcome.clone();
                }
            } else if !looked.is_stale(self.refresh) {
                return outcome;
            }
        }
        let _place = place_to_wait.map_or_else(|| slot.place_to_wait(), Ok)?;
        Box::pin(self.look(&slot, opened, entry)).await
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}
