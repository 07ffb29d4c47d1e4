//! `Consumer.close`: what is assigned is revoked (listeners are called), stored offsets are committed, the group is left; all within ten seconds,
//! and the client is closed anyway. Ctrl-C ends the wait. In a forked child nothing happens: the parent goes on.
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::class::Consumer;
use super::rebalance;
use crate::waiting;

/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(10);
/// The client ends its own wait at that time; only where it does not is it ended here.
const GRACE: Duration = Duration::from_secs(1);

/// How long what another thread took from the client may wait for being served.
const SLICE: Duration = Duration::from_millis(40);

/// A callback that runs in another thread is waited for: what it was told must be acknowledged before anything is revoked. All listeners are called, whatever they raise; the last exception propagates, earlier ones as its context.
pub(super) fn close(consumer: &Bound<'_, Consumer>) -> PyResult<()> {
    let py = consumer.py();
    let this = consumer.get();
    let Ok(Some(engine)) = this.engine(py) else { return Ok(()) };
    if engine.closing.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let mut raised = None;
    py.detach(|| {
        if !engine.owns.load(Ordering::Relaxed) {
            // The group has no part in it, so nobody revokes it: what was stored is committed here.
            let _ = engine.client.unassign();
        }
        engine.client.leave(LEAVE);
    });
    let deadline = Instant::now() + LEAVE + GRACE;
    loop {
        // What was taken before and waits, and what came since.
        rebalance::serve_to_the_end(consumer, engine, &mut raised);
        // In slices: what another thread took and does not serve any more is served here.
        let slice_end = deadline.min(Instant::now() + SLICE);
        let left = waiting::until(py, Some(slice_end), |end| {
            let left = engine.client.wait_until_left(end);
            (left || engine.client.notices_waiting()).then_some(left)
        });
        if !engine.is_ours() {
            // A listener forked, and this is the child.
            break;
        }
        match left {
            Ok(Some(false)) => {}
            Ok(None) if Instant::now() < deadline => {}
            Ok(Some(true) | None) => {
                rebalance::serve_to_the_end(consumer, engine, &mut raised);
                break;
            }
            Err(interrupt) => {
                rebalance::note(py, &mut raised, interrupt);
                break;
            }
        }
    }
    engine.closed.store(true, Ordering::Release);
    py.detach(|| engine.client.close());
    raised.map_or(Ok(()), Err)
}
