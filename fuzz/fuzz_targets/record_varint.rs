//! The varints of records. The body is `ottla_protocol::records::fuzz::record_varint`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::records::fuzz::record_varint(bytes));
