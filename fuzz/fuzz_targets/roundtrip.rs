//! Any message, read and written, must be read again as the same value. The body is `ottla_protocol::fuzz::roundtrip`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::fuzz::roundtrip(bytes));
