//! Errors and log lines of a client, handed to `error_cb` and the logger on the caller's thread (in poll, flush, consume and close).
use std::collections::VecDeque;

use ottla::Notice;
use pyo3::prelude::*;

use super::config::Callbacks;
use super::error::KafkaError;
use crate::raw::attached::Attached;

/// Python's logging level for syslog's, as the original maps them.
const LEVELS: [u8; 8] = [50, 50, 50, 40, 30, 20, 20, 10];

/// Notices that were taken from the client and not yet shown.
pub(crate) type Taken = Attached<VecDeque<Notice>>;

/// Calls back for each notice; stops at the first that raises, the others wait. Returns how many calls there were.
pub(crate) fn serve(py: Python<'_>, callbacks: &Callbacks, name: &str, taken: &Taken) -> PyResult<usize> {
    let mut served = 0;
    loop {
        let Some(notice) = taken.borrow(py).pop_front() else { return Ok(served) };
        match notice {
            Notice::Error(error) => {
                if let Some(callback) = callbacks.error.get(py) {
                    served += 1;
                    callback.call1((KafkaError::from_client(&error),))?;
                }
            }
            Notice::Log { level, facility, text } => {
                if let Some(logger) = callbacks.logger.get(py) {
                    served += 1;
                    let level = LEVELS[usize::from(level.min(7))];
                    logger.call_method1("log", (level, "%s [%s] %s", facility, name, text))?;
                }
            }
            Notice::Rebalance(_) | Notice::OffsetsCommitted(_) | Notice::ConsumerError(_) => {}
        }
    }
}
