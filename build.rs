//! Compiles `proto/` without a system `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Embedded by cli::demo.
    println!("cargo:rerun-if-changed=catalogs");
    let descriptors =
        protox::compile(["proto/meshgate/v1/session.proto", "proto/meshgate/v1/ticket.proto"], ["proto"])?;
    tonic_prost_build::configure().build_server(false).build_client(false).compile_fds(descriptors)?;
    Ok(())
}
