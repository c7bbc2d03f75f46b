//! Plans that were announced and wait to be fetched, bounded by what they weigh.
//!
//! A ticket without its plan is planned again, so that a plan may give way at any time. Plans of one principal give way to each other
//! before those of another do.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ticket::TicketId;
use crate::config::Limits;
use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::name::PrincipalName;
use crate::telemetry::Clock;

/// One principal may have this part of the memory.
const SHARE: usize = 4;

/// What plans that are kept may take.
#[derive(Debug, Clone, Copy)]
pub(in crate::flight) struct KeptLimits {
    pub bytes: usize,
    pub bytes_of_one: usize,
    pub plans: usize,
}

impl From<&Limits> for KeptLimits {
    fn from(limits: &Limits) -> Self {
        let bytes = limits.pending_mib.saturating_mul(1 << 20);
        let plans = usize::try_from(limits.pending_statements).unwrap_or(usize::MAX);
        Self { bytes, bytes_of_one: bytes / SHARE, plans }
    }
}

/// The plans of one gateway.
pub(in crate::flight) struct Pending<P> {
    kept: Mutex<Kept<P>>,
    limits: KeptLimits,
    life: Duration,
    clock: Clock,
}

struct Kept<P> {
    plans: HashMap<TicketId, Entry<P>>,
    /// By age. What is renewed counts as new.
    ages: BTreeMap<u64, TicketId>,
    next_age: u64,
    shares: HashMap<PrincipalName, Share>,
    bytes: usize,
}

struct Entry<P> {
    principal: PrincipalName,
    planned: P,
    bytes: usize,
    /// None of its inputs is lost with it.
    can_be_planned_again: bool,
    fetched: bool,
    age: u64,
    expires: i64,
}

/// Of one principal.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    bytes: usize,
    plans: usize,
}

impl<P: Clone> Pending<P> {
    /// `life` is how long a ticket is good.
    pub(in crate::flight) fn new(limits: KeptLimits, life: Duration, clock: Clock) -> Self {
        let kept = Kept { plans: HashMap::new(), ages: BTreeMap::new(), next_age: 0, shares: HashMap::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), limits, life, clock }
    }

    /// Keeps a plan of so many bytes. One that is too large is planned again when it is fetched.
    ///
    /// # Errors
    /// `Exhausted` for one that is too large and cannot be planned again.
    pub(in crate::flight) fn insert(
        &self,
        principal: &PrincipalName,
        id: TicketId,
        planned: P,
        bytes: usize,
        can_be_planned_again: bool,
    ) -> Result<()> {
        if bytes > self.limits.bytes_of_one {
            return if can_be_planned_again { Ok(()) } else { Err(too_large(bytes, self.limits.bytes_of_one)) };
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.expire(self.clock.unix_millis());
        kept.remove(&id);
        let entry = Entry {
            principal: principal.clone(),
            planned,
            bytes,
            can_be_planned_again,
            fetched: false,
            age: kept.next_age,
            expires: self.clock.unix_millis_after(self.life),
        };
        kept.add(id, entry);
        kept.fit(principal, self.limits);
        Ok(())
    }

    /// The plan of a ticket, if it is still here.
    pub(in crate::flight) fn get(&self, id: &TicketId) -> Option<P> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.expire(self.clock.unix_millis());
        let entry = kept.plans.get_mut(id)?;
        entry.fetched = true;
        Some(entry.planned.clone())
    }

    /// Lets it live from now on.
    pub(in crate::flight) fn renew(&self, id: &TicketId) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut entry) = kept.remove(id) {
            entry.age = kept.next_age;
            entry.expires = self.clock.unix_millis_after(self.life);
            kept.add(*id, entry);
        }
    }

    pub(in crate::flight) fn forget(&self, id: &TicketId) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl<P> Kept<P> {
    fn add(&mut self, id: TicketId, entry: Entry<P>) {
        self.next_age = entry.age + 1;
        self.bytes += entry.bytes;
        let share = self.shares.entry(entry.principal.clone()).or_default();
        share.bytes += entry.bytes;
        share.plans += 1;
        self.ages.insert(entry.age, id);
        self.plans.insert(id, entry);
    }

    fn remove(&mut self, id: &TicketId) -> Option<Entry<P>> {
        let entry = self.plans.remove(id)?;
        self.ages.remove(&entry.age);
        self.bytes -= entry.bytes;
        if let Some(share) = self.shares.get_mut(&entry.principal) {
            share.bytes -= entry.bytes;
            share.plans -= 1;
            if share.plans == 0 {
                self.shares.remove(&entry.principal);
            }
        }
        Some(entry)
    }

    fn expire(&mut self, now: i64) {
        while let Some((_, id)) = self.ages.first_key_value().map(|(age, id)| (*age, *id))
            && self.plans.get(&id).is_none_or(|entry| entry.expires <= now)
        {
            self.remove(&id);
        }
    }

    /// Removes what is too much: of this principal first, then of whose share is the largest.
    fn fit(&mut self, principal: &PrincipalName, limits: KeptLimits) {
        while self.shares.get(principal).is_some_and(|share| share.bytes > limits.bytes_of_one) {
            self.give_way(&principal.clone());
        }
        while self.bytes > limits.bytes {
            let Some(largest) = self.largest(|share| share.bytes) else { return };
            self.give_way(&largest);
        }
        while self.plans.len() > limits.plans {
            let Some(largest) = self.largest(|share| share.plans) else { return };
            self.give_way(&largest);
        }
    }

    fn largest(&self, by: impl Fn(&Share) -> usize) -> Option<PrincipalName> {
        self.shares.iter().max_by_key(|(_, share)| by(share)).map(|(name, _)| name.clone())
    }

    /// Removes the plan that this principal misses least: one that was fetched, else one that can be planned again, else the oldest.
    fn give_way(&mut self, principal: &PrincipalName) {
        let own = self.plans.iter().filter(|(_, entry)| entry.principal == *principal);
        let least = own.min_by_key(|(_, entry)| (!entry.fetched, !entry.can_be_planned_again, entry.age));
        if let Some(id) = least.map(|(id, _)| *id) {
            self.remove(&id);
        }
    }
}

/// For a plan that must be kept and may not be.
fn too_large(bytes: usize, limit: usize) -> Diagnostic {
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    let message = format!("the statement's plan takes {} MiB to keep, and {} MiB are allowed", mib(bytes), mib(limit));
    Diagnostic::error(Kind::Exhausted, message)
        .hint("bind smaller values, or ask the operator to raise `limits.pending_mib`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_mins(1);
    const LIMITS: KeptLimits = KeptLimits { bytes: 400, bytes_of_one: 100, plans: 6 };

    fn name(name: &str) -> PrincipalName {
        name.parse().unwrap()
    }

    fn pending(clock: &Clock) -> Pending<u8> {
        Pending::new(LIMITS, LIFE, clock.clone())
    }

    fn kept(pending: &Pending<u8>) -> Vec<u8> {
        let kept = pending.kept.lock().unwrap();
        assert_eq!(kept.bytes, kept.plans.values().map(|entry| entry.bytes).sum::<usize>());
        assert_eq!(kept.bytes, kept.shares.values().map(|share| share.bytes).sum::<usize>());
        kept.ages.values().map(|id| kept.plans[id].planned).collect()
    }

    fn insert(pending: &Pending<u8>, who: &str, n: u8, bytes: usize) {
        pending.insert(&name(who), [n; 16], n, bytes, true).unwrap();
    }

    #[test]
    fn heavy_plans_displace_their_owners_only() {
        let pending = pending(&Clock::manual(0));
        insert(&pending, "bob", 0, 90);
        for n in 1..=5 {
            insert(&pending, "eve", n, 40);
        }
        assert_eq!(kept(&pending), [0, 4, 5]);
        insert(&pending, "eve", 6, 101);
        assert_eq!(kept(&pending), [0, 4, 5], "what is too large is planned again");
        assert!(pending.get(&[6; 16]).is_none());
    }

    #[test]
    fn many_principals_stay_within_all_bytes() {
        let pending = Pending::new(KeptLimits { bytes: 200, ..LIMITS }, LIFE, Clock::manual(0));
        insert(&pending, "bob", 0, 30);
        for (n, who) in [(1, "eve"), (2, "kim"), (3, "max")] {
            insert(&pending, who, n, 90);
        }
        assert_eq!(kept(&pending)[0], 0, "the largest share gives way");
        assert!(pending.kept.lock().unwrap().bytes <= 200);
    }

    #[test]
    fn many_small_plans_stay_within_their_number() {
        let pending = pending(&Clock::manual(0));
        insert(&pending, "bob", 0, 1);
        for n in 1..=9 {
            insert(&pending, "eve", n, 1);
        }
        assert_eq!(kept(&pending), [0, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn what_is_missed_least_gives_way() {
        let pending = pending(&Clock::manual(0));
        pending.insert(&name("ana"), [1; 16], 1, 30, false).unwrap();
        insert(&pending, "ana", 2, 30);
        insert(&pending, "ana", 3, 30);
        assert_eq!(pending.get(&[3; 16]), Some(3));
        insert(&pending, "ana", 4, 40);
        assert_eq!(kept(&pending), [1, 2, 4], "it was fetched");
        insert(&pending, "ana", 5, 30);
        assert_eq!(kept(&pending), [1, 4, 5], "it can be planned again");
        let refused = pending.insert(&name("ana"), [6; 16], 6, 101, false).unwrap_err();
        assert_eq!(refused.kind, Kind::Exhausted);
    }

    #[test]
    fn a_plan_lives_as_long_as_its_ticket() {
        let clock = Clock::manual(0);
        let pending = pending(&clock);
        insert(&pending, "ana", 1, 10);
        insert(&pending, "ana", 2, 10);
        clock.advance(LIFE / 2);
        pending.renew(&[1; 16]);
        clock.advance(LIFE / 2);
        assert_eq!((pending.get(&[1; 16]), pending.get(&[2; 16])), (Some(1), None));
        pending.forget(&[1; 16]);
        assert!(kept(&pending).is_empty());
    }
}
