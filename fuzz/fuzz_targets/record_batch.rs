//! The records field of a Fetch response, CRC patched. The body is `ottla_protocol::records::fuzz::record_batch`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::records::fuzz::record_batch(bytes));
