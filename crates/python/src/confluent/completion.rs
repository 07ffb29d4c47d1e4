//! Answers on their way to `concurrent.futures.Future`s: thread *io* puts them into a queue, the one completion thread (`ottla._completion`) takes
//! them out and makes Python objects of them. Engine threads never attach.
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ottla::TopicResults;
use ottla_machines::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::error::{self, KafkaError};

/// What became of one operation.
type Answer = Result<TopicResults, Error>;

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: VecDeque<(u64, Answer)>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue. A forked child makes its own: this one's lock may be held by a thread that is gone.
#[pyclass(frozen, module = "ottla._native", name = "_Answers")]
pub(crate) struct Answers(Arc<Queue>);

impl Answers {
    /// What to call with the answer of operation `number`, from any thread.
    pub(crate) fn sender(&self, number: u64) -> impl FnOnce(Answer) + Send + 'static {
        let queue = self.0.clone();
        move |answer| {
            queue.state().answers.push_back((number, answer));
            queue.changed.notify_one();
        }
    }
}

#[pymethods]
impl Answers {
    #[new]
    fn __new__() -> Self {
        Self(Arc::default())
    }

    /// Wait for the next answer: the operation's number, then (topic, KafkaError or None) for each topic, or the KafkaException of the whole.
    /// None when the queue was closed.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<(u64, Bound<'py, PyAny>)>> {
        let taken = py.detach(|| {
            let mut state = self.0.state();
            loop {
                match state.answers.pop_front() {
                    _ if state.closed => return None,
                    Some(answer) => return Some(answer),
                    None => state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                }
            }
        });
        let Some((number, answer)) = taken else { return Ok(None) };
        let shown = match answer {
            Err(error) => error::raise(py, "", &error).into_value(py).into_bound(py).into_any(),
            Ok(results) => {
                let list = PyList::empty(py);
                for (topic, result) in results {
                    let error =
                        result.err().map(|error| Bound::new(py, KafkaError::from_client(&error))).transpose()?;
                    list.append((&*topic, error))?;
                }
                list.into_any()
            }
        };
        Ok(Some((number, shown)))
    }

    /// Let `next` return None from now on: the interpreter ends.
    fn close(&self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}
