//! How large a batch may be.

use datafusion::prelude::SessionConfig;

/// Bytes that one batch may come to, as an extension of a session's configuration.
#[derive(Debug, Clone, Copy)]
pub struct BatchBytes(pub(in crate::engine) usize);

impl BatchBytes {
    /// What batches of statements under this configuration may come to, in bytes.
    pub fn of(config: &SessionConfig) -> usize {
        config.get_extension::<Self>().map_or(Self::UNKNOWN, |bytes| bytes.0)
    }

    /// Where nobody set it.
    const UNKNOWN: usize = 16 << 20;
}
