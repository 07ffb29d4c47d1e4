//! The length and headers of a frame. The body is `ottla_protocol::fuzz::header_frame`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ottla_protocol::fuzz::header_frame(bytes));
