//! Bytes for the Snappy decompressor. The body is `ottla_protocol::records::fuzz::decompress`,
//! which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_protocol::compression::Codec;

fuzz_target!(|bytes: &[u8]| ottla_protocol::records::fuzz::decompress(Codec::Snappy, bytes));
