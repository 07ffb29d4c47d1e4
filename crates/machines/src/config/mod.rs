//! Configuration (E22): one table of keys, a parser for each face, and the typed settings that the machines take.
//!
//! * `table`: every key with its range, default and what becomes of it; `cargo xtask config docs` writes `docs/configuration.md` from it.
//! * [`confluent`]: the parser of the confluent face.
//! * `bootstrap`: addresses from text.
//! * `settings`: what the machines take, without defaults of their own.
//! * `secret`: passwords and keys.
mod bootstrap;
pub mod confluent;
mod secret;
mod settings;
mod table;

pub use secret::Secret;
pub use settings::{
    AddressFamily, AdminSettings, Assignor, BootstrapServer, Compression, ConnectionSettings, ConsumerSettings,
    GroupSettings, Isolation, OffsetReset, Partitioner, ProducerSettings,
};
pub use table::{Column, Key, Scope, Section, Status, Type, find, table};
