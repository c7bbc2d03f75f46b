//! Every dataset that was opened, and how old that is.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use object_store::ObjectMeta;

use super::location::Place;
use super::store::{Placement, Stores};
use super::text::{self, TextFormat};
use super::{Open, RawTable, delta, files, parquet};
use crate::contract::Format;
use crate::diagnostic::{Diagnostic, Result};
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
    /// Not served until the next look finds it in order.
    Out { why: Diagnostic },
}

/// The gateway's [`Open`]: opens each dataset once for all who ask, and looks for new data when it is asked again later.
pub struct Sources {
    engine: Arc<Engine>,
    stores: Stores,
    refresh: Duration,
    sessions: Mutex<HashMap<(DomainName, String), Arc<PrivateSession>>>,
    slots: Mutex<HashMap<QualifiedTable, Arc<Slot>>>,
}

/// One dataset of one contract; another contract under the same name gets another.
struct Slot {
    product: Arc<Product>,
    dataset: usize,
    opened: tokio::sync::Mutex<Option<Looked>>,
    state: Mutex<State>,
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
        let (version, commit) = known.newest()?;
        Some((self.place.clone()?, version, commit))
    }

    /// Whether it is too old to be answered again without asking the store.
    fn is_stale(&self, refresh: Duration) -> bool {
        let outdated = matches!(&self.memory, Memory::Parquet(known) if known.is_outdated());
        let fresh = if self.outcome.is_ok() { refresh } else { refresh.min(REPEAT_FAILURE) };
        outdated || self.at.elapsed() >= fresh
    }
}

/// What the next look need not read again.
#[derive(Default)]
enum Memory {
    #[default]
    Nothing,
    Parquet(parquet::Checked),
    Delta(Box<delta::Known>),
    Text(text::Headers, Vec<files::DataFile>),
}

impl Sources {
    pub fn new(engine: Arc<Engine>, stores: Stores) -> Self {
        Self { engine, stores, refresh: REFRESH, sessions: Mutex::default(), slots: Mutex::default() }
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

    /// Looks, for a pass at start-up.
    pub async fn verify(&self, entry: &TableEntry) -> State {
        match self.open(entry).await {
            Ok(_) => State::Verified,
            Err(why) => State::Out { why },
        }
    }

    /// Rows as far as they are cheap to know, for the operator's table only: it counts what policy hides.
    pub async fn row_count(&self, entry: &TableEntry) -> Option<u64> {
        self.open(entry).await.ok()?;
        let (place, files) = {
            let slot = self.slot(entry);
            let opened = slot.opened.lock().await;
            let looked = opened.as_ref()?;
            match &looked.memory {
                Memory::Nothing => return None,
                Memory::Parquet(checked) => return Some(checked.row_count()),
                Memory::Delta(known) => return known.row_count(),
                Memory::Text(_, files) => (looked.place.clone()?, files.clone()),
            }
        };
        text::row_count(&place, &files, text_format(entry)?).await
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
            opened: tokio::sync::Mutex::default(),
            state: Mutex::new(State::Declared),
        });
        slots.insert(entry.table.clone(), Arc::clone(&slot));
        slot
    }

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

    async fn look(&self, entry: &TableEntry, memory: Memory) -> Result<(Arc<RawTable>, Place, Memory)> {
        let contract = &entry.product.contract;
        let dataset = entry.dataset();
        let place = Place::resolve(&self.stores, entry)?;
        let session = self.session(&contract.domain, &place.placement)?;
        let (raw, memory) = match contract.server.format {
            Format::Parquet => {
                let known = if let Memory::Parquet(known) = memory { known } else { parquet::Checked::default() };
                let (plan, checked) = parquet::open(&place, dataset, &session, &known).await?;
                (RawTable::new(plan, session, [].into()), Memory::Parquet(checked))
            }
            Format::Delta => {
                let known = if let Memory::Delta(known) = memory { Some(*known) } else { None };
                let (plan, known) = delta::open(&place, dataset, &session, known).await?;
                (RawTable::new(plan, session, [].into()), Memory::Delta(Box::new(known)))
            }
            Format::Csv | Format::Json => {
                let format =
                    if contract.server.format == Format::Csv { TextFormat::Csv } else { TextFormat::JsonLines };
                let known = if let Memory::Text(known, _) = memory { known } else { text::Headers::new() };
                let opened = text::open(&place, dataset, format, &known).await?;
                (RawTable::new(opened.plan, session, opened.drift), Memory::Text(opened.headers, opened.files))
            }
        };
        Ok((Arc::new(raw), place, memory))
    }
}

fn text_format(entry: &TableEntry) -> Option<TextFormat> {
    match entry.product.contract.server.format {
        Format::Csv => Some(TextFormat::Csv),
        Format::Json => Some(TextFormat::JsonLines),
        Format::Parquet | Format::Delta => None,
    }
}

#[async_trait::async_trait]
impl Open for Sources {
    async fn open(&self, entry: &TableEntry) -> Result<Arc<RawTable>> {
        let slot = self.slot(entry);
        // Who comes while another looks waits for what that one finds.
        let mut opened = slot.opened.lock().await;
        if let Some(looked) = opened.as_ref() {
            let (at, outcome) = (looked.at, looked.outcome.clone());
            if let Some((place, version, commit)) = looked.commit() {
                // Others need not wait for this answer, which says nothing of commits that come after it was asked for.
                drop(opened);
                if delta::is_newest(&place, version, &commit).await {
                    return outcome;
                }
                opened = slot.opened.lock().await;
                // A newer one began after this query came, since nobody looks while the lock is held: it sees every commit before it.
                if let Some(newer) = opened.as_ref().filter(|looked| looked.at > at) {
                    return newer.outcome.clone();
                }
            } else if !looked.is_stale(self.refresh) {
                return outcome;
            }
        }
        let memory = opened.take().map(|looked| looked.memory).unwrap_or_default();
        // What was there before is not served when the look fails: it may be what the owner took away.
        let looked = match Box::pin(self.look(entry, memory)).await {
            Ok((raw, place, memory)) => Looked { at: Instant::now(), outcome: Ok(raw), place: Some(place), memory },
            Err(why) => Looked { at: Instant::now(), outcome: Err(why), place: None, memory: Memory::Nothing },
        };
        let state = match &looked.outcome {
            Ok(_) => State::Verified,
            Err(why) => State::Out { why: why.clone() },
        };
        *slot.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        let outcome = looked.outcome.clone();
        *opened = Some(looked);
        outcome
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}
