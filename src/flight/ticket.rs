//! Sealed tickets: a ticket leaves the gateway encrypted and authenticated, and says all that is needed to redeem it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};
use prost::Message as _;

use crate::diagnostic::{Diagnostic, Kind, Result};
use crate::proto::v1::Ticket;
use crate::query::{ArrowTypes, Defaults};
use crate::telemetry::Clock;

const NONCE: usize = 24;
/// What else a key might seal one day must not pass as a ticket.
const PURPOSE: &[u8] = b"meshgate ticket v1";

/// Identifies the statement of a ticket among those this gateway keeps.
pub(in crate::flight) type TicketId = [u8; 16];

/// Seals tickets and opens them again, under one key.
pub(in crate::flight) struct Sealer {
    cipher: XChaCha20Poly1305,
    life: Duration,
    clock: Clock,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("life", &self.life).finish_non_exhaustive()
    }
}

/// What a ticket is bound to besides its principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::flight) struct Bound {
    pub id: TicketId,
    pub view: [u8; 32],
    pub generation: [u8; 32],
    pub schema: [u8; 32],
    pub sql: String,
    /// Its parameters had values, which stay where they were bound.
    pub has_values: bool,
    /// What it took from its session.
    pub defaults: Defaults,
}

impl Sealer {
    /// Gateways with the same key redeem each other's tickets; `life` is how long a ticket is good.
    pub(in crate::flight) fn new(key: [u8; 32], life: Duration, clock: Clock) -> Self {
        Self { cipher: XChaCha20Poly1305::new(Key::from_slice(&key)), life, clock }
    }

    /// The bytes that a client is given, and the time in milliseconds since the Unix epoch after which they are refused.
    pub(in crate::flight) fn seal(&self, principal: &str, bound: Bound) -> Result<(Bytes, i64)> {
        let expires_at = self.clock.unix_millis_after(self.life);
        let ticket = Ticket {
            id: bound.id.to_vec(),
            view: bound.view.to_vec(),
            generation: bound.generation.to_vec(),
            sql: bound.sql,
            has_values: bound.has_values,
            native_types: bound.defaults.types == ArrowTypes::Native,
            bare: bound.defaults.schema,
            time_zone: bound.defaults.time_zone,
            schema: bound.schema.to_vec(),
            expires_at,
            principal: principal.to_owned(),
        };
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: &ticket.encode_to_vec(), aad: PURPOSE })
            .map_err(|_| Diagnostic::error(Kind::Internal, "the ticket could not be sealed"))?;
        Ok(([nonce.as_slice(), &sealed].concat().into(), expires_at))
    }

    /// What the ticket is bound to, if this principal may redeem it now.
    ///
    /// # Errors
    /// `Invalid` with one text for everything that is no ticket of this key, `Denied` for another principal's ticket,
    /// `Stale` for one that has expired.
    pub(in crate::flight) fn open(&self, principal: &str, sealed: &[u8]) -> Result<Bound> {
        let ticket = self.owned(principal, sealed)?;
        if ticket.expires_at <= self.clock.unix_millis() {
            return Err(Diagnostic::error(Kind::Stale, "the ticket has expired").hint("send the statement again"));
        }
        bound(ticket).ok_or_else(unreadable)
    }

    /// The same for a ticket that may have expired since: what it began may still run.
    ///
    /// # Errors
    /// Those of [`Self::open`] but for `Stale`.
    pub(in crate::flight) fn identify(&self, principal: &str, sealed: &[u8]) -> Result<Bound> {
        bound(self.owned(principal, sealed)?).ok_or_else(unreadable)
    }

    fn owned(&self, principal: &str, sealed: &[u8]) -> Result<Ticket> {
        let ticket = self.decrypt(sealed).ok_or_else(unreadable)?;
        if ticket.principal != principal {
            return Err(Diagnostic::error(Kind::Denied, "the ticket was issued to another principal")
                .hint("send the statement again under your own login"));
        }
        Ok(ticket)
    }

    fn decrypt(&self, sealed: &[u8]) -> Option<Ticket> {
        let (nonce, body) = sealed.split_at_checked(NONCE)?;
        let open = self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: PURPOSE }).ok()?;
        Ticket::decode(open.as_slice()).ok()
    }
}

fn bound(ticket: Ticket) -> Option<Bound> {
    Some(Bound {
        id: ticket.id.try_into().ok()?,
        view: ticket.view.try_into().ok()?,
        generation: ticket.generation.try_into().ok()?,
        schema: ticket.schema.try_into().ok()?,
        sql: ticket.sql,
        has_values: ticket.has_values,
        defaults: Defaults {
            schema: ticket.bare,
            time_zone: ticket.time_zone,
            types: if ticket.native_types { ArrowTypes::Native } else { ArrowTypes::Plain },
            ..Defaults::default()
        },
    })
}

/// One text for every reason, so that it tells nothing of the key.
pub(in crate::flight) fn unreadable() -> Diagnostic {
    Diagnostic::error(Kind::Invalid, "the ticket is not valid here: it was altered, or another gateway issued it")
        .hint("send the statement again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        Bound {
            id: [1; 16],
            view: [2; 32],
            generation: [3; 32],
            schema: [4; 32],
            sql: "select 'secret'".to_owned(),
            has_values: false,
            defaults: Defaults {
                schema: Some("sales".to_owned()),
                time_zone: Some("UTC".to_owned()),
                types: ArrowTypes::Native,
                ..Defaults::default()
            },
        }
    }

    fn sealer(clock: &Clock) -> Sealer {
        Sealer::new([7; 32], Duration::from_mins(5), clock.clone())
    }

    #[test]
    fn a_ticket_opens_for_its_principal_on_every_gateway_with_the_key() {
        let clock = Clock::manual(0);
        let sealed = sealer(&clock).seal("ana", bound()).unwrap().0;
        assert_eq!(sealer(&clock).open("ana", &sealed).unwrap(), bound());
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"), "the statement is not readable");

        let other_key = Sealer::new([8; 32], Duration::from_mins(5), clock);
        assert_eq!(other_key.open("ana", &sealed).unwrap_err(), unreadable());
    }

    #[test]
    fn every_flipped_byte_is_refused_with_one_text() {
        let sealer = sealer(&Clock::manual(0));
        let good = sealer.seal("ana", bound()).unwrap().0;
        for at in 0..good.len() {
            let mut altered = good.to_vec();
            altered[at] ^= 1;
            assert_eq!(sealer.open("ana", &altered).unwrap_err(), unreadable(), "byte {at}");
        }
        for cut in [0, 1, NONCE, NONCE + 1, good.len() - 1] {
            assert_eq!(sealer.open("ana", &good[..cut]).unwrap_err(), unreadable(), "cut at {cut}");
        }
    }

    #[test]
    fn another_principal_and_a_late_one_are_refused() {
        let clock = Clock::manual(0);
        let sealer = sealer(&clock);
        let good = sealer.seal("ana", bound()).unwrap().0;
        assert_eq!(sealer.open("bob", &good).unwrap_err().kind, Kind::Denied);
        clock.advance(Duration::from_secs(299));
        assert!(sealer.open("ana", &good).is_ok());
        clock.advance(Duration::from_secs(1));
        assert_eq!(sealer.open("ana", &good).unwrap_err().kind, Kind::Stale);
    }
}
