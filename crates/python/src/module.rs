//! What the extension module holds, put together at import.
use pyo3::prelude::*;

use crate::{broker, confluent, floor};

/// The native part of Ottla. Its names are private: import from the faces.
// The interpreter keeps its lock where it could do without: messages have no lock of their own.
#[pymodule(name = "_native", gil_used = true)]
mod native {
    use super::{Bound, PyModule, PyResult, broker, confluent, floor};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        confluent::register(module)?;
        broker::register(module)?;
        floor::register(module)
    }
}
