//! [`Pending`]: the answer to one question to a client, which a caller waits for, awaits, or has delivered to a callback.
//!
//! One method per operation returns it; there are no twins for sync and async. What the answer is, and how long the client
//! tries, is the machine's.
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use ottla_machines::error::Error;

type OnReady<T> = Box<dyn FnOnce(Result<T, Error>) + Send>;

/// An answer that is yet to come. Dropping it abandons the question: the client goes on and throws the answer away.
pub struct Pending<T>(Arc<Cell<T>>);

/// The client's end: completes its [`Pending`] once.
pub(crate) struct Completer<T>(Option<Arc<Cell<T>>>);

struct Cell<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    result: Option<Result<T, Error>>,
    waker: Option<Waker>,
    on_ready: Option<OnReady<T>>,
}

impl<T> Cell<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pair of an answer to come and its completer.
pub(crate) fn pending<T>() -> (Completer<T>, Pending<T>) {
    let state = State { result: None, waker: None, on_ready: None };
    let cell = Arc::new(Cell { state: Mutex::new(state), changed: Condvar::new() });
    (Completer(Some(cell.clone())), Pending(cell))
}

impl<T> Pending<T> {
    /// An answer that is there at once.
    pub(crate) fn ready(result: Result<T, Error>) -> Self {
        let (completer, pending) = pending();
        completer.complete(result);
        pending
    }

    /// Waits until the answer is there or `deadline` has passed, and takes the answer. `None` at the deadline, and after
    /// the answer was taken; the question stays open then and may be waited for again.
    pub fn wait_until(&self, deadline: Instant) -> Option<Result<T, Error>> {
        let mut state = self.0.state();
        loop {
            if let Some(result) = state.result.take() {
                return Some(result);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the answer if it is there.
    pub fn try_take(&self) -> Option<Result<T, Error>> {
        self.0.state().result.take()
    }

    /// Has `on_ready` called with the answer: on thread *io*, so it must be short and must not wait; at once, on this
    /// thread, when the answer is there already.
    pub fn on_ready(self, on_ready: impl FnOnce(Result<T, Error>) + Send + 'static) {
        let mut state = self.0.state();
        match state.result.take() {
            Some(result) => {
                drop(state);
                on_ready(result);
            }
            None => state.on_ready = Some(Box::new(on_ready)),
        }
    }
}

/// Cancel safe: dropping it abandons the question.
impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Completer<T> {
    /// Delivers the answer.
    pub(crate) fn complete(mut self, result: Result<T, Error>) {
        if let Some(cell) = self.0.take() {
            deliver(&cell, result);
        }
    }
}

fn deliver<T>(cell: &Cell<T>, result: Result<T, Error>) {
    let mut state = cell.state();
    if let Some(on_ready) = state.on_ready.take() {
        drop(state);
        on_ready(result);
        return;
    }
    state.result = Some(result);
    let waker = state.waker.take();
    drop(state);
    cell.changed.notify_all();
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A client that ends without answering says so: nobody waits for ever.
impl<T> Drop for Completer<T> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            deliver(&cell, Err(Error::new(ottla_machines::error::Kind::Destroy)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn a_waiter_gets_the_answer_and_a_deadline_leaves_it_open() {
        let (completer, pending) = pending::<u32>();
        assert!(pending.wait_until(Instant::now()).is_none());
        let thread = std::thread::spawn(move || pending.wait_until(soon()));
        completer.complete(Ok(7));
        assert_eq!(thread.join().unwrap(), Some(Ok(7)));
    }

    #[test]
    fn a_callback_gets_it_before_and_after() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (completer, open) = pending::<u32>();
        let first = sender.clone();
        open.on_ready(move |result| first.send(result).unwrap());
        completer.complete(Ok(1));
        Pending::ready(Ok(2)).on_ready(move |result| sender.send(result).unwrap());
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [Ok(1), Ok(2)]);
    }

    #[test]
    fn a_client_that_ends_answers_destroy() {
        let (completer, pending) = pending::<u32>();
        drop(completer);
        let result = pending.wait_until(soon());
        assert_eq!(result, Some(Err(Error::new(ottla_machines::error::Kind::Destroy))));
    }
}
