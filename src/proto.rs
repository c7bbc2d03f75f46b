//! Messages generated from `proto/`; they are the wire form of what `flight::ticket` seals.
#![expect(missing_docs, clippy::pedantic, reason = "generated code")]

pub mod v1 {
    tonic::include_proto!("meshgate.v1");
}
