//! The places that connections take.
//!
//! Where all are taken, a new client gets that of the oldest connection on which nobody has logged in yet. So strangers who hold
//! connections keep each other out, and nobody else.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Listen;

/// How long a client may take to send the preface.
const PREFACE_WAIT: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// In all; one more is closed as soon as it is there, if somebody has logged in on each.
    pub connections: usize,
    /// From one address.
    pub from_one_address: usize,
    /// How long a client may take until it has sent the preface of HTTP/2.
    pub preface: Duration,
}

impl From<&Listen> for Admission {
    fn from(listen: &Listen) -> Self {
        Self {
            connections: listen.connections,
            from_one_address: listen.connections_per_address,
            preface: PREFACE_WAIT,
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::from(&Listen::default())
    }
}

/// The places of one listener.
pub(super) struct Places {
    admission: Admission,
    guests: Mutex<Guests>,
}

#[derive(Default)]
struct Guests {
    taken: HashMap<IpAddr, usize>,
    /// Those who had not logged in when somebody last looked, the oldest first.
    strangers: VecDeque<Arc<Guest>>,
}

impl Guests {
    /// Closes the oldest connection of a stranger, from one address or from any; false if there is none.
    fn evict(&mut self, address: Option<IpAddr>) -> bool {
        self.strangers.retain(|guest| !guest.is_known());
        let oldest = self.strangers.iter().position(|guest| address.is_none_or(|address| guest.address == address));
        let Some(guest) = oldest.and_then(|oldest| self.strangers.remove(oldest)) else { return false };
        guest.evicted.cancel();
        self.release(&guest);
        true
    }

    /// Gives the place back, once.
    fn release(&mut self, guest: &Guest) {
        if guest.is_gone.swap(true, Ordering::Relaxed) {
            return;
        }
        match self.taken.get_mut(&guest.address) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.taken.remove(&guest.address)),
        }
    }
}

impl Places {
    pub fn new(admission: Admission) -> Arc<Self> {
        Arc::new(Self { admission, guests: Mutex::default() })
    }

    /// A place for one more connection, or the key of the limit that leaves none.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, &'static str> {
        let mut guests = self.guests();
        let own = guests.taken.get(&address).copied().unwrap_or(0);
        if own >= self.admission.from_one_address && !guests.evict(Some(address)) {
            return Err("connections_per_address");
        }
        if guests.taken.values().sum::<usize>() >= self.admission.connections && !guests.evict(None) {
            return Err("connections");
        }
        *guests.taken.entry(address).or_default() += 1;
        let guest = Arc::new(Guest {
            address,
            evicted: CancellationToken::new(),
            is_known: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
        });
        guests.strangers.push_back(Arc::clone(&guest));
        Ok(Place { places: Arc::clone(self), guest })
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, as the gateway knows it.
pub(super) struct Guest {
    address: IpAddr,
    evicted: CancellationToken,
    is_known: AtomicBool,
    is_gone: AtomicBool,
}

impl Guest {
    /// Cancelled where the connection has to make room.
    pub fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Notes that a call on the connection was answered: nobody gets an answer without a login.
    pub fn note_login(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}

/// Held by a connection until it is closed.
pub(super) struct Place {
    places: Arc<Places>,
    guest: Arc<Guest>,
}

impl Place {
    pub fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut guests = self.places.guests();
        guests.strangers.retain(|guest| !Arc::ptr_eq(guest, &self.guest));
        guests.release(&self.guest);
    }
}
