//! `TopicPartition`: a topic's partition with an offset, and what is known of it. Equality, order and hash go by topic and partition alone.
use ottla::OffsetAnswer;
use ottla_machines::error::Error;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::error::KafkaError;
use crate::raw::arguments::{self, Call};

/// A partition of a topic, with an offset and perhaps an error.
#[pyclass(subclass, module = "ottla.confluent_kafka.cimpl", name = "TopicPartition")]
#[derive(Default)]
pub(crate) struct TopicPartition {
    topic: String,
    /// Partition id.
    #[pyo3(get, set)]
    partition: i32,
    /// Offset, or one of the OFFSET_ constants.
    #[pyo3(get, set)]
    offset: i64,
    metadata: Option<String>,
    /// -1: not known.
    leader_epoch: i32,
    error: Option<Py<KafkaError>>,
}

/// The plain values of a `TopicPartition`.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) metadata: Option<String>,
    /// -1: not known.
    pub(crate) leader_epoch: i32,
}

impl TopicPartition {
    /// A partition with an offset, of which nothing else is known.
    pub(crate) fn of(topic: &str, partition: i32, offset: i64) -> Self {
        Self { topic: topic.to_owned(), partition, offset, leader_epoch: -1, ..Self::default() }
    }

    /// The same partition with another offset and its leader epoch: the answer to a call.
    pub(crate) fn answer(given: &Given, offset: i64, leader_epoch: Option<i32>) -> Self {
        let leader_epoch = leader_epoch.unwrap_or(-1);
        Self { metadata: given.metadata.clone(), leader_epoch, ..Self::of(&given.topic, given.partition, offset) }
    }

    fn given(&self) -> Given {
        Given {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset,
            metadata: self.metadata.clone(),
            leader_epoch: self.leader_epoch,
        }
    }

    /// What became of a commit, or what is committed.
    pub(crate) fn committed(py: Python<'_>, answer: &OffsetAnswer) -> PyResult<Self> {
        // As there: the code's description alone.
        let error = answer.error.as_ref().map(|error| Py::new(py, KafkaError::from_client(&Error::new(error.kind))));
        Ok(Self {
            metadata: answer.metadata.as_deref().map(str::to_owned),
            leader_epoch: answer.leader_epoch,
            error: error.transpose()?,
            ..Self::of(&answer.topic, answer.partition, answer.offset)
        })
    }
}

/// The values of one `TopicPartition`.
pub(crate) fn one(object: &Bound<'_, PyAny>) -> PyResult<Given> {
    let partition =
        object.cast::<TopicPartition>().map_err(|_| PyTypeError::new_err("expected cimpl.TopicPartition"))?;
    Ok(partition.borrow().given())
}

/// The values of a list of them.
pub(crate) fn list(object: &Bound<'_, PyAny>) -> PyResult<Vec<Given>> {
    let list = object.cast::<PyList>().map_err(|_| PyTypeError::new_err("requires list of TopicPartition"))?;
    list.iter().map(|item| one(&item)).collect()
}

#[pymethods]
impl TopicPartition {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(topic, partition=-1, offset=-1001, metadata=None, leader_epoch=-1)")]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { partition: -1, offset: -1001, leader_epoch: -1, ..Self::default() }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&mut self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let given = arguments::topic_partition(Call::new(args, kwargs))?;
        *self = Self {
            topic: given.topic.to_owned(),
            partition: given.partition,
            offset: given.offset,
            metadata: given.metadata.map(str::to_owned),
            leader_epoch: given.leader_epoch,
            error: None,
        };
        Ok(())
    }

    /// Topic name.
    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.topic)
    }

    /// Offset metadata, or None.
    #[getter]
    fn metadata(&self) -> Option<&str> {
        self.metadata.as_deref()
    }

    /// Leader epoch of the offset, or None.
    #[getter]
    fn leader_epoch(&self) -> Option<i32> {
        (self.leader_epoch >= 0).then_some(self.leader_epoch)
    }

    /// The partition's error, or None.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<KafkaError>> {
        self.error.as_ref().map(|error| error.clone_ref(py))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let leader_epoch = self.leader_epoch().map_or_else(|| "None".to_owned(), |epoch| epoch.to_string());
        let error = match &self.error {
            Some(error) => error.bind(py).str()?.to_string(),
            None => "None".to_owned(),
        };
        Ok(format!(
            "TopicPartition{{topic={},partition={},offset={},leader_epoch={leader_epoch},error={error}}}",
            self.topic, self.partition, self.offset
        ))
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        let hash = PyString::new(py, &self.topic).hash()? ^ (self.partition as isize);
        Ok(if hash == -1 { -2 } else { hash })
    }

    fn __richcmp__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        let (this, other) = (slf.borrow(), other.borrow());
        let order = (this.topic.as_str(), this.partition).cmp(&(other.topic.as_str(), other.partition));
        Ok(operator.matches(order).into_pyobject(py)?.to_owned().into_any())
    }

    fn __getstate__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.borrow();
        let error = this.error.as_ref().map(|error| error.clone_ref(py));
        let fields =
            (this.topic.as_str(), this.partition, this.offset, this.metadata.as_deref(), this.leader_epoch, error);
        let attributes = slf.getattr_opt("__dict__")?;
        Ok((fields, attributes).into_pyobject(py)?.into_any())
    }

    fn __setstate__(slf: &Bound<'_, Self>, state: &Bound<'_, PyAny>) -> PyResult<()> {
        type Fields = (String, i32, i64, Option<String>, i32, Option<Py<KafkaError>>);
        let (fields, attributes): (Fields, Option<Bound<'_, PyDict>>) = state.extract()?;
        if let Some(attributes) = attributes {
            slf.getattr("__dict__")?.cast_into::<PyDict>()?.update(attributes.as_mapping())?;
        }
        let (topic, partition, offset, metadata, leader_epoch, error) = fields;
        *slf.borrow_mut() = Self { topic, partition, offset, metadata, leader_epoch, error };
        Ok(())
    }
}
