//! Turns the definitions into code: no protoc is needed on the machine.

use std::path::PathBuf;

use prost::Message;

const DEFINITIONS: [&str; 7] = [
    "pagemill/v1/types.proto",
    "pagemill/v1/jobs.proto",
    "pagemill/v1/sources.proto",
    "pagemill/v1/artifacts.proto",
    "pagemill/v1/workers.proto",
    "pagemill/v1/queue.proto",
    "externalscaler/externalscaler.proto",
];

/// What we call, not what we serve: it stands in no reflection.
const CALLED: &str = "opentelemetry/trace_service.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=pagemill");
    println!("cargo:rerun-if-changed=externalscaler");
    println!("cargo:rerun-if-changed=opentelemetry");
    let descriptors = protox::compile(DEFINITIONS, ["."])?;
    let file = PathBuf::from(std::env::var("OUT_DIR")?).join("pagemill.v1.bin");
    std::fs::write(&file, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    tonic_prost_build::configure().compile_fds(protox::compile([CALLED], ["."])?)?;
    Ok(())
}
