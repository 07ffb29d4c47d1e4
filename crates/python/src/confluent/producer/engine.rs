//! One producer of the client crate with what the border keeps beside it: which process it belongs to, reports that were taken and not served
//! yet, whether a close waits for a callback to return. How the client's calls wait is said here; what they do is the client's.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ottla::{NoticeOptions, Report, ReportBatch, ReportRun};
use ottla_machines::config::ProducerSettings;
use ottla_machines::config::confluent::Warning;
use ottla_machines::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::confluent::{detached, notices};
use crate::raw::attached::Attached;

/// What a record carries: its callback.
pub(super) type Callback = Py<PyAny>;

/// How long a producer that was never connected is waited for at exit.
const CONNECTING: Duration = Duration::from_secs(1);

/// Reports taken at a time.
const RUN: usize = 64;

/// A producer in the process that made it.
pub(super) struct Engine {
    pub(super) client: ottla::Producer<Callback>,
    /// `ottla::fork::generation` of the process.
    generation: u32,
    pub(super) closed: AtomicBool,
    /// A callback called close: it is done when the last callback of that thread has returned.
    pub(super) close_asked: AtomicBool,
    /// Callbacks that run now, in whatever thread.
    pub(super) running: AtomicUsize,
    reports: Attached<Reports>,
    pub(super) notices: notices::Taken,
    /// In the log.
    pub(super) name: String,
}

/// Reports between the client and their callbacks.
#[derive(Default)]
struct Reports {
    /// Each of one batch, its reports in reverse.
    runs: VecDeque<ReportRun<Callback>>,
    /// Served to the last; their batches may be looked at by callbacks that run.
    used: Vec<ReportRun<Callback>>,
    spare: Vec<ReportRun<Callback>>,
    /// The topic of the last report as a str.
    topic: Option<(Arc<str>, Py<PyString>)>,
    /// Served since the client was last told: messages and bytes.
    served: (usize, usize),
}

impl Engine {
    pub(super) fn new(settings: ProducerSettings, notices: NoticeOptions) -> Result<Self, Error> {
        Ok(Self {
            generation: ottla::fork::generation(),
            name: notices.name.clone(),
            client: ottla::Producer::new(settings, notices)?,
            closed: AtomicBool::new(false),
            close_asked: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            reports: Attached::new(Reports::default()),
            notices: Attached::new(VecDeque::new()),
        })
    }

    /// Whether this process made it; an engine of another process is left alone for ever.
    #[inline(always)]
    pub(super) fn is_ours(&self) -> bool {
        self.generation == ottla::fork::generation()
    }

    #[inline(always)]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The next report to serve, oldest first, with its batch, which is valid until Python code runs, and on while `running` is not zero.
    #[inline]
    pub(super) fn next_report(&self, py: Python<'_>) -> Option<(*const ReportBatch, Report<Callback>)> {
        loop {
            {
                let mut reports = self.reports.borrow(py);
                while let Some(run) = reports.runs.front_mut() {
                    if let (Some(report), Some(batch)) = (run.reports.pop(), &run.batch) {
                        return Some((Arc::as_ptr(batch), report));
                    }
                    let used = reports.runs.pop_front();
                    reports.used.extend(used);
                }
                if !reports.used.is_empty() && self.running.load(Ordering::Relaxed) == 0 {
                    let Reports { used, spare, .. } = &mut *reports;
                    spare.extend(used.drain(..).map(|mut run| {
                        run.batch = None;
                        run
                    }));
                }
            }
            if !self.client.has_reports() || !self.refill(py) {
                return None;
            }
        }
    }

    /// Takes further reports from the client; whether there were any.
    #[cold]
    fn refill(&self, py: Python<'_>) -> bool {
        // Taken out of the cell: waiting for the lock may let another thread in.
        let spare = self.reports.borrow(py).spare.pop();
        let mut run = spare.unwrap_or_else(|| ReportRun::with_capacity(RUN));
        self.client.take_reports(&mut run, &mut detached(py));
        let mut reports = self.reports.borrow(py);
        let found = !run.reports.is_empty();
        if found {
            run.reports.reverse();
            reports.runs.push_back(run);
        } else {
            reports.spare.push(run);
        }
        found
    }

    /// The topic as a str; the last one is kept.
    pub(super) fn topic(&self, py: Python<'_>, topic: &Arc<str>) -> Py<PyString> {
        let mut reports = self.reports.borrow(py);
        match &reports.topic {
            Some((last, object)) if Arc::ptr_eq(last, topic) => object.clone_ref(py),
            _ => {
                let object = PyString::new(py, topic).unbind();
                let old = reports.topic.replace((topic.clone(), object.clone_ref(py)));
                drop(reports);
                drop(old.map(|(_, old)| old.into_bound(py)));
                object
            }
        }
    }

    /// Notes that a callback has run, however it ended.
    pub(super) fn served(&self, py: Python<'_>, bytes: usize) {
        let mut reports = self.reports.borrow(py);
        reports.served.0 += 1;
        reports.served.1 += bytes;
    }

    /// Tells the client what was served. Whether anything was.
    pub(super) fn settle(&self, py: Python<'_>) -> bool {
        let (messages, bytes) = std::mem::take(&mut self.reports.borrow(py).served);
        if messages > 0 {
            self.client.served(messages, bytes, &mut detached(py));
        }
        messages > 0
    }

    /// Queued, in flight, and reports whose callback has not run.
    pub(super) fn outstanding(&self, py: Python<'_>) -> usize {
        self.settle(py);
        py.detach(|| self.client.outstanding())
    }

    /// Whether errors or log lines are there to be served.
    #[inline(always)]
    pub(super) fn has_notices(&self, py: Python<'_>) -> bool {
        self.client.notices_waiting() || !self.notices.borrow(py).is_empty()
    }

    /// Takes what the client has to say.
    pub(super) fn take_notices(&self, py: Python<'_>) {
        let mut taken = Vec::new();
        self.client.take_notices(&mut taken);
        self.notices.borrow(py).extend(taken);
    }

    /// Shows every callback to `visit`.
    pub(super) fn visit_callbacks<E>(&self, mut visit: impl FnMut(&Callback) -> Result<(), E>) -> Result<(), E> {
        let mut result = Ok(());
        self.client.with_attachments(|callback| {
            if result.is_ok() {
                result = visit(callback);
            }
        });
        result?;
        match self.reports.try_borrow_traversing() {
            Some(reports) => {
                reports.runs.iter().flat_map(|run| &run.reports).try_for_each(|report| visit(&report.attachment))
            }
            None => Ok(()),
        }
    }

    /// Ends the client without waiting for anything more.
    pub(super) fn end(&self, py: Python<'_>) {
        for callback in self.take_callbacks(py) {
            drop(callback.into_bound(py));
        }
        self.client.end();
    }

    /// Sends what is queued until `deadline`; reports are taken and not served. Returns how many records are left.
    pub(super) fn flush_at_exit(&self, py: Python<'_>, deadline: Instant) -> usize {
        self.client.start_flush();
        // A program may end before it is connected; who cannot be reached at all is not waited for.
        let patience = deadline.min(Instant::now() + CONNECTING);
        loop {
            while let Some((_, report)) = self.next_report(py) {
                self.served(py, report.place.bytes as usize);
                drop(report.attachment.into_bound(py));
            }
            let left = self.outstanding(py);
            let end = if self.client.has_connected() { deadline } else { patience };
            if left == 0 || end <= Instant::now() || self.client.failure().is_some() {
                return left;
            }
            py.detach(|| self.client.wait_for_progress(end));
        }
    }

    /// Has the log tell of settings.
    pub(super) fn warn(&self, warnings: Vec<Warning>) {
        for warning in warnings {
            self.client.log(warning.level, warning.facility, warning.text);
        }
    }

    /// Takes every callback out, for the collector and for the end; their records are then delivered without.
    pub(super) fn take_callbacks(&self, py: Python<'_>) -> Vec<Callback> {
        let mut callbacks = Vec::new();
        self.client.take_attachments(&mut callbacks, &mut detached(py));
        let mut reports = self.reports.borrow(py);
        for run in &mut reports.runs {
            callbacks.extend(run.reports.drain(..).map(|report| report.attachment));
        }
        callbacks
    }
}
