//! Configuration (E22): one table of keys, a parser for each face, and the typed settings that the machines take.
//!
//! * `settings`: what the machines take, without defaults of their own.
//! * `secret`: passwords and keys.
mod secret;
mod settings;

pub use secret::Secret;
pub use settings::{
    AddressFamily, AdminSettings, BootstrapServer, Compression, ConnectionSettings, ConsumerSettings, Isolation,
    MetadataRecovery, OffsetReset, Partitioner, ProducerSettings,
};
