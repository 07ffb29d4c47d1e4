//! The Python border: the extension module `ottla._native`. Classes and rules of arguments of each face; no rule of Kafka.
//!
//! * `raw`: the unsafe foundation. `waiting`: how callers wait. `confluent`: the confluent face. `broker`: the embedded broker. `floor`: what the benchmark's floor is measured with.
mod broker;
mod confluent;
mod floor;
mod module;
mod raw;
mod waiting;
