//! What producers do at the end of the interpreter: at most five seconds of flushing in all, without callbacks; what is lost is one line on
//! stderr. A producer that was never connected has nobody to flush to.
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::engine::Engine;

/// How long all producers together may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Engines that were made in this process or its parents; those that ended go when the next is made.
static MADE: Mutex<Vec<Weak<Engine>>> = Mutex::new(Vec::new());

/// Enters a new engine.
pub(super) fn enter(engine: &Arc<Engine>) {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.retain(|engine| engine.strong_count() > 0);
    made.push(Arc::downgrade(engine));
}

/// Called by `atexit`.
#[pyfunction(name = "_flush_producers")]
pub(crate) fn flush_all(py: Python<'_>) {
    let deadline = Instant::now() + LIMIT;
    let made = MADE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for engine in made.iter().filter_map(Weak::upgrade).filter(|engine| engine.is_ours() && !engine.is_closed()) {
        let lost = engine.flush_at_exit(py, deadline);
        if lost > 0 {
            let line = format!(
                "{}: {lost} messages were not delivered at exit: call flush() or close() before\n",
                engine.name
            );
            // Nobody to tell that stderr is closed.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
}
