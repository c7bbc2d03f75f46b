//! Messages generated from `proto/`: the wire form of what `flight::ticket` seals, and the session options of Flight.
#![expect(missing_docs, clippy::pedantic, reason = "generated code")]

pub mod v1 {
    tonic::include_proto!("meshgate.v1");
}
