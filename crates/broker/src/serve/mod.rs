//! The cluster behind real sockets: everything that waits.
//!
//! * [`server`]: [`Server`], what a test holds. [`engine`]: listeners, connections and timers on the server's own thread.
//!   [`peer`]: one connection: frames cut from the stream, answers written.
mod engine;
mod peer;
mod server;

#[cfg(test)]
mod tests;

pub use server::{Opened, ServeOptions, Server};
