//! `KafkaError` and the exceptions of the confluent face, and how an error of the client becomes one. Codes, names and texts are those of the
//! one table in `ottla_machines::error`; nothing is decided here.
use ottla_machines::error::{Error, codes};
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::raw::arguments::{self, Call};

// The module names are those under which the classes are found again when unpickled.
pyo3::create_exception!(ottla.confluent_kafka.cimpl, KafkaException, PyException);
pyo3::create_exception!(ottla.confluent_kafka.cimpl, IllegalStateException, PyRuntimeError);
pyo3::create_exception!(ottla.confluent_kafka.cimpl, ConcurrentModificationException, PyRuntimeError);

/// Kafka error and event object.
///
/// Compares as its code, also with plain integers. `fatal` errors end the client; `retriable` ones may go away by themselves.
#[pyclass(subclass, module = "ottla.confluent_kafka.cimpl", name = "KafkaError")]
#[derive(Debug, Clone, Default)]
pub(crate) struct KafkaError {
    code: i32,
    reason: Option<String>,
    fatal: bool,
    retriable: bool,
    txn_requires_abort: bool,
}

impl KafkaError {
    /// What the face shows for an error of the client.
    pub(crate) fn from_client(error: &Error) -> Self {
        let column = error.kind.librdkafka();
        Self {
            code: column.code,
            reason: Some(error.message().into_owned()),
            fatal: error.fatal,
            retriable: column.retriable,
            txn_requires_abort: column.txn_requires_abort,
        }
    }

    /// The error of a message or an exception: as there `error_cb` alone tells that one is fatal.
    pub(crate) fn of_message(error: &Error) -> Self {
        Self { fatal: false, ..Self::from_client(error) }
    }

    /// An error of this code with its own text.
    pub(crate) fn of_code(code: i32, reason: impl Into<String>) -> Self {
        Self { code, reason: Some(reason.into()), ..Self::default() }
    }

    /// The `KafkaException` that carries it.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        match Py::new(py, self) {
            Ok(error) => KafkaException::new_err((error,)),
            Err(error) => error,
        }
    }

    fn text(&self) -> String {
        self.reason.clone().unwrap_or_else(|| codes::confluent_description(self.code).into_owned())
    }
}

/// The `KafkaException` of an error of the client, its text led by what was tried (`Failed to get metadata: `).
pub(crate) fn raise(py: Python<'_>, what: &str, error: &Error) -> PyErr {
    let mut shown = KafkaError::of_message(error);
    if !what.is_empty() {
        shown.reason = Some(format!("{what}: {}", error.message()));
    }
    shown.into_exception(py)
}

/// Makes `earlier` the context at the end of `error`'s chain.
pub(crate) fn set_context(py: Python<'_>, error: &PyErr, earlier: PyErr) {
    let earlier = earlier.into_value(py);
    let mut last = error.value(py).clone().into_any();
    // A chain that holds `earlier` already, or is endless, is left as it is.
    for _ in 0..1000 {
        if last.is(&earlier) {
            return;
        }
        match last.getattr("__context__") {
            Ok(next) if !next.is_none() => last = next,
            _ => break,
        }
    }
    // An exception's context can be set to an exception; if not, only the chain is lost.
    let _ = last.setattr("__context__", earlier);
}

#[pymethods]
impl KafkaError {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(error, reason=None, fatal=False, retriable=False, txn_requires_abort=False)")]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&mut self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let given = arguments::error(Call::new(args, kwargs))?;
        *self = Self {
            code: given.code,
            reason: given.reason.map(str::to_owned),
            fatal: given.fatal,
            retriable: given.retriable,
            txn_requires_abort: given.txn_requires_abort,
        };
        Ok(())
    }

    /// The error's code.
    fn code(&self) -> i32 {
        self.code
    }

    /// The name of the code, as of the class attribute.
    fn name(&self) -> String {
        codes::confluent_name(self.code).into_owned()
    }

    /// The text: what happened, or the description of the code.
    fn str(&self) -> String {
        self.text()
    }

    /// Whether the client cannot go on after this error.
    fn fatal(&self) -> bool {
        self.fatal
    }

    /// Whether the operation may succeed when tried again.
    fn retriable(&self) -> bool {
        self.retriable
    }

    /// Whether the current transaction must be aborted.
    fn txn_requires_abort(&self) -> bool {
        self.txn_requires_abort
    }

    fn __repr__(&self) -> String {
        let fatal = if self.fatal { "FATAL," } else { "" };
        format!(
            "KafkaError{{{fatal}code={},val={},str=\"{}\"}}",
            codes::confluent_name(self.code),
            self.code,
            self.text()
        )
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __hash__(&self) -> isize {
        // -1 would mean an exception.
        if self.code == -1 { -2 } else { self.code as isize }
    }

    fn __richcmp__<'py>(&self, other: &Bound<'py, PyAny>, operator: CompareOp) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        let code = match other.cast::<Self>() {
            Ok(error) => i64::from(error.borrow().code),
            Err(_) => match other.extract::<i64>() {
                Ok(code) => code,
                Err(_) => return Ok(py.NotImplemented().into_bound(py)),
            },
        };
        Ok(operator.matches(i64::from(self.code).cmp(&code)).into_pyobject(py)?.to_owned().into_any())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let this = slf.borrow();
        let flags = (i32::from(this.fatal), i32::from(this.retriable), i32::from(this.txn_requires_abort));
        let arguments = (this.code, this.text(), flags.0, flags.1, flags.2).into_pyobject(slf.py())?;
        Ok((slf.get_type().into_any(), arguments.into_any()))
    }
}

/// Adds the classes to the module, and every code as an attribute of `KafkaError`.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<KafkaError>()?;
    let class = py.get_type::<KafkaError>();
    for row in codes::all().iter().filter(|row| !row.confluent.is_empty()) {
        class.setattr(row.confluent, row.code)?;
    }
    module.add("KafkaException", py.get_type::<KafkaException>())?;
    module.add("IllegalStateException", py.get_type::<IllegalStateException>())?;
    module.add("ConcurrentModificationException", py.get_type::<ConcurrentModificationException>())
}
