//! Thread *blocking* (E3): what the system offers only as a call that blocks, which is looking up names.
//!
//! It exists while something blocks and for 10 s after. tokio's own blocking pool is never used.
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::threads::Counted;

const IDLE: Duration = Duration::from_secs(10);

type Task = Box<dyn FnOnce() + Send>;

/// The queue of thread *blocking*.
#[derive(Default)]
pub(crate) struct Blocking(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    running: bool,
}

impl Blocking {
    /// Runs `task` on thread *blocking*, after those given before. A panic ends the task alone. Fails when the system
    /// refuses the thread; the task is dropped then.
    pub(crate) fn run(&self, task: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.running {
            let shared = self.0.clone();
            std::thread::Builder::new().name("ottla-blocking".into()).spawn(move || serve(&shared, IDLE))?;
            state.running = true;
        }
        state.tasks.push_back(Box::new(task));
        drop(state);
        self.0.filled.notify_one();
        Ok(())
    }
}

fn serve(shared: &Shared, idle: Duration) {
    let _counted = Counted::new();
    while let Some(task) = next(shared, idle) {
        // The task reports its own end when it is dropped, so that nothing waits for one that panicked.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
    }
}

/// The next task; `None` after `idle` without one, and the thread is then off the books.
fn next(shared: &Shared, idle: Duration) -> Option<Task> {
    let deadline = Instant::now() + idle;
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(task) = state.tasks.pop_front() {
            return Some(task);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            state.running = false;
            return None;
        }
        state = shared.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_in_order_one_that_panics_included_and_the_thread_ends_when_idle() {
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut state = shared.state.lock().unwrap();
        state.running = true;
        for number in 0..3 {
            let sender = sender.clone();
            state.tasks.push_back(Box::new(move || {
                sender.send(number).unwrap();
                assert_ne!(number, 1, "meant to panic");
            }));
        }
        drop(state);
        serve(&shared, Duration::ZERO);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert!(!shared.state.lock().unwrap().running);
    }
}
