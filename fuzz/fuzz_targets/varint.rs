//! Variable-length integers. The body is `ottla_protocol::fuzz::varint`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::fuzz::varint(bytes));
