//! `Consumer.poll` and `Consumer.consume`, raw: records are taken under the client's lock and made into messages after it (E16). A call waits,
//! detached, only when nothing is there; what an interrupted `consume` had made is handed over first by the next call (E17).
#![allow(unsafe_code)]
use std::time::Instant;

use ottla::{RecordRun, Take};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::class::Consumer;
use super::engine::{Engine, Kept, Origin, run_message};
use super::rebalance::{self, Served};
use crate::confluent::{detached, error, produce_arguments};
use crate::raw::arguments::{self, Call};
use crate::raw::fastcall::{self, Arguments};
use crate::raw::guard;
use crate::waiting;

/// `consume` takes at most this many.
const MOST: u32 = 1_000_000;

unsafe extern "C" fn poll(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so, and the descriptor has checked self.
        let (given, this) = unsafe { (Arguments::new(py, start, positional, names), Borrowed::from_ptr(py, slf)) };
        let timeout = produce_arguments::timeout(&given)?;
        // SAFETY: as above.
        let consumer = unsafe { this.cast_unchecked::<Consumer>() };
        let engine = consumer.get().open(py)?;
        if engine.has_pending() {
            return slow_poll(&consumer, timeout);
        }
        match take_one(py, engine)? {
            Some(message) => Ok(message),
            None if timeout == 0.0 => Ok(py.None().into_ptr()),
            None => slow_poll(&consumer, timeout),
        }
    })
}

/// Takes a record or an event, if one is there.
#[inline(always)]
fn take_one(py: Python<'_>, engine: &Engine) -> PyResult<Option<*mut ffi::PyObject>> {
    let mut scratch = engine.scratch.borrow(py).take().unwrap_or_default();
    let made = match engine.client.take(&mut scratch, &mut detached(py)) {
        Take::Record(record) => engine.message(py, &record, &scratch).map(Some),
        Take::Error(event) => engine.event(py, &event).map(Some),
        Take::Empty => Ok(None),
    };
    *engine.scratch.borrow(py) = Some(scratch);
    made
}

#[cold]
#[inline(never)]
fn slow_poll(consumer: &Bound<'_, Consumer>, timeout: f64) -> PyResult<*mut ffi::PyObject> {
    let (py, this) = (consumer.py(), consumer.get());
    let deadline = waiting::deadline(timeout);
    loop {
        let engine = this.open(py)?;
        if let Served::Event(event) = rebalance::serve(consumer, engine, false)? {
            return engine.consumer_event(py, &event);
        }
        // A callback may have closed it.
        let Some(engine) = this.engine(py)? else { return Ok(py.None().into_ptr()) };
        let kept = next_kept(py, engine);
        engine.hand_over(py, kept.as_ref());
        if let Some(kept) = kept {
            return Ok(kept.message.into_ptr());
        }
        if let Some(message) = take_one(py, engine)? {
            return Ok(message);
        }
        if wait(py, this, engine, deadline)? {
            return Ok(py.None().into_ptr());
        }
    }
}

/// Waits until something is there; whether there is nothing more to wait for: the time is over, or the consumer was closed meanwhile.
fn wait(py: Python<'_>, this: &Consumer, engine: &Engine, deadline: Option<Instant>) -> PyResult<bool> {
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Ok(true);
    }
    waiting::until(py, deadline, |end| engine.client.wait_for_records(end).then_some(()))?;
    if let Some(failure) = engine.client.failure() {
        return Err(error::raise(py, "", &failure));
    }
    Ok(this.engine(py)?.is_none())
}

/// The next message that an interrupted call had made and that may still be handed over.
fn next_kept(py: Python<'_>, engine: &Engine) -> Option<Kept> {
    loop {
        let kept = engine.kept.borrow(py).pop_front();
        engine.note_pending(py);
        let kept = kept?;
        // Attached, so that no other thread takes the last of them meanwhile, and with it the hold on this one.
        let current =
            kept.origin.is_none_or(|(topic, partition, epoch)| engine.client.is_current(topic, partition, epoch));
        if current {
            return Some(kept);
        }
        drop(kept.message.into_bound(py));
    }
}

unsafe extern "C" fn consume(
    slf: *mut ffi::PyObject,
    start: *const *mut ffi::PyObject,
    positional: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    guard::method(|py| {
        // SAFETY: CPython calls it so, and the descriptor has checked self.
        let (given, this) = unsafe { (Arguments::new(py, start, positional, names), Borrowed::from_ptr(py, slf)) };
        let (args, kwargs) = given.collect()?;
        let (number, timeout) = arguments::consume(Call::new(&args, kwargs.as_ref()))?;
        // SAFETY: as above.
        let consumer = unsafe { this.cast_unchecked::<Consumer>() };
        let this = consumer.get();
        let engine = this.open(py)?;
        if number > MOST {
            return Err(PyValueError::new_err("num_messages must be between 0 and 1000000 (1M)"));
        }
        let mut made = Made {
            py,
            number: number as usize,
            items: Vec::with_capacity((number as usize).min(4096)),
            origins: Vec::new(),
            call: engine.next_call(),
            calls: Vec::new(),
            from_kept: 0,
        };
        match made.fill(&consumer, waiting::deadline(timeout)) {
            Ok(()) => {
                if let Some(engine) = this.engine(py)? {
                    made.hand_over(engine);
                }
                made.into_list()
            }
            Err(error) => {
                if let Some(engine) = this.engine(py)? {
                    made.keep(engine);
                }
                Err(error)
            }
        }
    })
}

/// The messages of one `consume`.
struct Made<'py> {
    py: Python<'py>,
    number: usize,
    /// Owned.
    items: Vec<*mut ffi::PyObject>,
    /// Where runs of items end, and where those are from: topic index, partition, fetch epoch; `None` for an event.
    origins: Vec<(usize, Option<Origin>)>,
    /// The number of this call.
    call: u64,
    /// The calls that took what is here: this one, and interrupted ones of which nothing else is kept.
    calls: Vec<u64>,
    /// How many of `origins` tell of what interrupted calls took.
    from_kept: usize,
}

impl Made<'_> {
    fn fill(&mut self, consumer: &Bound<'_, Consumer>, deadline: Option<Instant>) -> PyResult<()> {
        let (py, this) = (self.py, consumer.get());
        loop {
            let Some(engine) = this.engine(py)? else { return Ok(()) };
            if engine.has_pending() {
                match rebalance::serve(consumer, engine, !self.items.is_empty())? {
                    Served::All => {}
                    Served::Event(event) => {
                        self.items.push(engine.consumer_event(py, &event)?);
                        self.note_origin(None);
                        if self.items.len() >= self.number {
                            return Ok(());
                        }
                        continue;
                    }
                    // E16: first what this call holds.
                    Served::Rebalance => return Ok(()),
                }
            }
            let Some(engine) = this.engine(py)? else { return Ok(()) };
            while self.items.len() < self.number
                && let Some(kept) = next_kept(py, engine)
            {
                self.items.push(kept.message.into_ptr());
                self.note_origin(kept.origin);
                self.from_kept = self.origins.len();
            }
            self.calls.extend(engine.all_kept(py));
            let mut run = engine.run.borrow(py).take().unwrap_or_default();
            run.call = self.call;
            let taken = self.take(engine, &mut run);
            run.clear();
            *engine.run.borrow(py) = Some(run);
            taken?;
            if self.items.len() >= self.number || wait(py, this, engine, deadline)? {
                return Ok(());
            }
        }
    }

    /// Takes until nothing is there or the number is reached, at most 256 a hold; the objects are made before more is taken.
    fn take(&mut self, engine: &Engine, run: &mut RecordRun) -> PyResult<()> {
        let py = self.py;
        while self.items.len() < self.number {
            let taken = engine.client.take_many(self.number - self.items.len(), run, &mut detached(py));
            if taken > 0 && engine.store_on_handover && self.calls.last() != Some(&self.call) {
                self.calls.push(self.call);
            }
            let records = run.records();
            let mut rest = records;
            while let Some(batch) = rest.first().and_then(|record| run.batch(record)) {
                let number = rest[0].batch;
                let end = rest.iter().position(|record| record.batch != number).unwrap_or(rest.len());
                let topic = engine.topic(py, batch.topic)?;
                for record in &rest[..end] {
                    self.items.push(run_message(py, run, batch, record, topic.as_ptr())?);
                }
                self.note_origin(Some((batch.topic, batch.partition, batch.epoch)));
                rest = &rest[end..];
            }
            match run.error.take() {
                Some(event) => {
                    self.items.push(engine.event(py, &event)?);
                    self.note_origin(None);
                }
                None if taken == 0 => break,
                None => {}
            }
        }
        Ok(())
    }

    /// The offsets of what is returned are stored, where that is automatic: in one hold a call (E16), and one by one those of interrupted calls
    /// of which more is kept.
    fn hand_over(&self, engine: &Engine) {
        if !self.calls.is_empty() {
            engine.handed_over(self.py, &self.calls);
        }
        if engine.kept.borrow(self.py).is_empty() {
            return;
        }
        for (end, origin) in &self.origins[..self.from_kept] {
            // SAFETY: the item is a reference that this owns.
            let last = end.checked_sub(1).map(|at| unsafe { Borrowed::from_ptr(self.py, self.items[at]) });
            if let Some(last) = last {
                engine.store_behind(self.py, &last, *origin);
            }
        }
    }

    /// Notes where the items since the last note are from.
    fn note_origin(&mut self, origin: Option<Origin>) {
        self.origins.push((self.items.len(), origin));
    }

    /// Keeps what was made for the next call.
    fn keep(&mut self, engine: &Engine) {
        let mut kept = engine.kept.borrow(self.py);
        for (at, message) in self.items.drain(..).enumerate().rev() {
            let origin = self.origins.iter().find(|(end, _)| at < *end).and_then(|(_, origin)| *origin);
            // SAFETY: the item owned the reference.
            let message = unsafe { Bound::from_owned_ptr(self.py, message) }.unbind();
            kept.push_front(Kept { message, origin });
        }
        drop(kept);
        engine.interrupted.borrow(self.py).append(&mut self.calls);
        engine.note_pending(self.py);
    }

    fn into_list(mut self) -> PyResult<*mut ffi::PyObject> {
        // SAFETY: a new list of this length, each place filled once with an owned reference before anything else sees it.
        unsafe {
            let list = ffi::PyList_New(self.items.len() as ffi::Py_ssize_t);
            if list.is_null() {
                return Err(PyErr::fetch(self.py));
            }
            for (place, message) in self.items.drain(..).enumerate() {
                ffi::PyList_SetItem(list, place as ffi::Py_ssize_t, message);
            }
            Ok(list)
        }
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        for message in self.items.drain(..) {
            // SAFETY: the item owned the reference.
            drop(unsafe { Bound::from_owned_ptr(self.py, message) });
        }
    }
}

const POLL: &std::ffi::CStr = c"poll($self, timeout=-1)\n--\n\n\
The next record or event, or None after `timeout` seconds; -1 waits for ever. Ask `error()` of the message first.";
const CONSUME: &std::ffi::CStr = c"consume($self, num_messages=1, timeout=-1)\n--\n\n\
Up to `num_messages` records and events as a list: fewer, or none, after `timeout` seconds; -1 waits until there are as many.";

pub(super) fn register(class: &Bound<'_, PyType>) -> PyResult<()> {
    fastcall::add_method(class, c"poll", POLL, poll)?;
    fastcall::add_method(class, c"consume", CONSUME, consume)
}
