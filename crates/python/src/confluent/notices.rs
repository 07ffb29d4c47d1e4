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
        served += usize::from(serve_one(py, callbacks, name, notice)?);
    }
}

/// Calls back for an error or a log line; whether there was somebody to call. Others are a consumer's.
pub(crate) fn serve_one(py: Python<'_>, callbacks: &Callbacks, name: &str, notice: Notice) -> PyResult<bool> {
    let callback = match &notice {
        Notice::Error(_) => callbacks.error.get(py),
        Notice::Log { .. } => callbacks.logger.get(py),
        Notice::Rebalance(_) | Notice::OffsetsCommitted(_) | Notice::ConsumerError(_) => None,
    };
    let Some(callback) = callback else { return Ok(false) };
    match notice {
        Notice::Error(error) => callback.call1((KafkaError::from_client(&error),))?,
        Notice::Log { level, facility, text } => {
            let level = LEVELS[usize::from(level.min(7))];
            callback.call_method1("log", (level, "%s [%s] %s", facility, name, text))?
        }
        Notice::Rebalance(_) | Notice::OffsetsCommitted(_) | Notice::ConsumerError(_) => return Ok(false),
    };
    Ok(true)
}
