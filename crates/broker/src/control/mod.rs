//! Where tests take hold of the cluster: faults, the request log, and verbs.
//!
//! * [`fault`]: what can go wrong; [`armed`]: what is to, and when; [`facts`]: what a request names. [`hooks`]: where
//!   requests and answers pass; [`impose`]: how an error gets into an answer. [`request_log`]: what was asked.
//!   [`verbs`]: what a test does to the cluster.
mod armed;
mod facts;
mod fault;
pub(crate) mod hooks;
mod impose;
mod request_log;
mod verbs;

#[cfg(test)]
mod tests;

pub use fault::{Action, Fault, FaultId, Level, Select, When};
pub use request_log::LogEntry;
pub use verbs::MoveError;
