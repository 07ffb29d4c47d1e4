//! Batches built, compressed, sealed and read back. The body is `ottla_protocol::records::fuzz::builder_roundtrip`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::records::fuzz::builder_roundtrip(bytes));
