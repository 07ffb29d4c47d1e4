//! The client shell: all waiting is here, and no decision (those are in `ottla-machines`).
//!
//! A client is a machine, what it shares with its callers (under one [`lock`](crate::Contention)), and a driver on thread
//! *io*. [`Producer`], [`Consumer`] and [`Admin`] are the handles that programs and the Python binding use.

mod admin;
mod blocking;
mod clock;
mod consumer;
mod driver;
mod edge;
pub mod fork;
mod handle;
mod lock;
mod net;
mod notices;
mod pending;
mod producer;
mod runtime;
mod sync;
mod waiters;
mod work;

pub use admin::{Admin, TopicResults};
pub use clock::wall_ms;
pub use consumer::Consumer;
pub use lock::Contention;
pub use notices::{Notice, NoticeOptions};
pub use pending::Pending;
pub use producer::{AppendError, Producer};
pub use runtime::engine_threads;

/// What loom's models reach; no part of the API.
#[cfg(feature = "loom")]
#[doc(hidden)]
pub mod model {
    pub use crate::edge::Edge;
    pub use crate::lock::{Guard, Lock};
    pub use crate::waiters::Waiters;
}
