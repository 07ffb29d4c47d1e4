//! Bytes of a broker for any API and version: the first two bytes choose them, the rest is the message. The body is
//! `ottla_protocol::fuzz::response_decode`, which `cargo test` runs with seeds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [key, version, body @ ..] = bytes {
        ottla_protocol::fuzz::response_decode(i16::from(*key), i16::from(*version), body);
    }
});
