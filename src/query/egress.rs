//! What may be encoded.

/// A batch that was rebuilt: no byte in its buffers that is not part of a visible value. `flight::encode` takes nothing else.
#[derive(Debug, Clone)]
pub struct Egress<T>(T);

impl<T> Egress<T> {
    pub(in crate::query) fn scrubbed(value: T) -> Self {
        Self(value)
    }

    /// For rooms whose tests stand in for `query`.
    #[cfg(test)]
    pub(crate) fn for_test(value: T) -> Self {
        Self(value)
    }

    pub fn get(&self) -> &T {
        &self.0
    }

    pub fn into_inner(self) -> T {
        self.0
    }
}
