//! Where the gateway listens.

use std::net::SocketAddr;

use serde::Deserialize;

use super::number::{at_least_one, at_least_zero};
use crate::diagnostic::{Diagnostic, Kind, Result};

/// `[listen]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address and port; port 0 picks a free one. Default `127.0.0.1:8815`.
    pub address: SocketAddr,
    /// Listen beyond loopback although passwords and data then cross the network unencrypted. Default false.
    /// Set it only on a private network, behind something that brings TLS.
    pub allow_plaintext_network: bool,
    /// Seconds that running queries may take to finish after SIGTERM. Default 30.
    #[serde(deserialize_with = "at_least_zero")]
    pub drain_seconds: u64,
    /// Connections at once; one more is closed as soon as it is there. Default 512.
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    /// Connections at once from one address. Default 256.
    #[serde(deserialize_with = "at_least_one")]
    pub connections_per_address: usize,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8815)),
            allow_plaintext_network: false,
            drain_seconds: 30,
            connections: 512,
            connections_per_address: 256,
        }
    }
}

impl Listen {
    /// Refuses an address beyond loopback unless the operator said what that means.
    pub fn check(&self) -> Result<()> {
        if self.address.ip().is_loopback() || self.allow_plaintext_network {
            return Ok(());
        }
        Err(Diagnostic::error(
            Kind::Invalid,
            format!(
                "`listen.address = \"{}\"` would send passwords and data over the network unencrypted",
                self.address
            ),
        )
        .hint("listen on 127.0.0.1")
        .hint("or set `listen.allow_plaintext_network = true` where the network is private"))
    }
}
