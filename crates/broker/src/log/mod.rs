//! The log of one partition: batches as they were sent, and what is known of their producers and transactions.
//!
//! * [`incoming`]: what a batch must fulfil. [`partition_log`]: appending and reading. [`producers`]: idempotence.
//!   [`transactions`]: last stable offset, aborted transactions. [`lookup`]: offsets by time.
mod incoming;
mod lookup;
mod partition_log;
mod producers;
mod transactions;

#[cfg(test)]
mod tests;

pub(crate) use incoming::{Incoming, Refused, Rules};
pub(crate) use lookup::Found;
pub(crate) use partition_log::{Appended, Log};
pub(crate) use transactions::AbortedTransaction;
