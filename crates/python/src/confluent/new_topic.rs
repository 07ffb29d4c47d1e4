//! `NewTopic`: a topic to create, as the original takes it. Whether its values make sense is asked when it is used.
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::raw::arguments::{self, Call};

/// A topic to be created by `AdminClient.create_topics`.
#[pyclass(subclass, module = "ottla.confluent_kafka.cimpl", name = "NewTopic")]
#[derive(Default)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    /// Number of partitions, -1 for the broker's default.
    #[pyo3(get, set)]
    pub(crate) num_partitions: i32,
    /// Replicas of each partition, -1 for the broker's default or where `replica_assignment` is given.
    #[pyo3(get, set)]
    pub(crate) replication_factor: i32,
    /// Broker ids of the replicas, a list for each partition.
    #[pyo3(get, set)]
    pub(crate) replica_assignment: Option<Py<PyAny>>,
    /// Settings of the topic.
    #[pyo3(get, set)]
    pub(crate) config: Option<Py<PyAny>>,
}

#[pymethods]
impl NewTopic {
    #[new]
    #[pyo3(
        signature = (*_args, **_kwargs),
        text_signature = "(topic, num_partitions=-1, replication_factor=-1, replica_assignment=None, config=None)"
    )]
    fn __new__(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { num_partitions: -1, replication_factor: -1, ..Self::default() }
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __init__(&mut self, args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let given = arguments::new_topic(Call::new(args, kwargs))?;
        if given.config.as_ref().is_some_and(|config| !config.is_instance_of::<PyDict>()) {
            return Err(PyTypeError::new_err("config must be a dict of strings"));
        }
        *self = Self {
            name: given.topic.to_owned(),
            num_partitions: given.num_partitions,
            replication_factor: given.replication_factor,
            replica_assignment: given.replica_assignment.map(Bound::unbind),
            config: given.config.map(Bound::unbind),
        };
        Ok(())
    }

    /// Topic name.
    #[getter]
    fn topic<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.name)
    }

    fn __repr__(&self) -> String {
        match self.num_partitions {
            -1 => format!("NewTopic(topic={})", self.name),
            number => format!("NewTopic(topic={},num_partitions={number})", self.name),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        let hash = PyString::new(py, &self.name).hash()? ^ (self.num_partitions as isize);
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
        let order = (this.name.as_str(), this.num_partitions).cmp(&(other.name.as_str(), other.num_partitions));
        Ok(operator.matches(order).into_pyobject(py)?.to_owned().into_any())
    }

    fn __getstate__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let clone = |object: &Option<Py<PyAny>>| object.as_ref().map(|object| object.clone_ref(py));
        let (assignment, config) = (clone(&self.replica_assignment), clone(&self.config));
        let fields = (self.name.as_str(), self.num_partitions, self.replication_factor, assignment, config);
        Ok(fields.into_pyobject(py)?.into_any().unbind())
    }

    fn __setstate__(&mut self, state: &Bound<'_, PyAny>) -> PyResult<()> {
        let (name, num_partitions, replication_factor, replica_assignment, config) = state.extract()?;
        *self = Self { name, num_partitions, replication_factor, replica_assignment, config };
        Ok(())
    }
}
