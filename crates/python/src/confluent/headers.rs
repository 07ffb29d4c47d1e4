//! Headers between Python and the wire. To the wire: a dict, or a list of (key, value) tuples, as the original takes them, never changed.
//! From it: a list of tuples, made when asked for; duplicate keys stay, a key that is not UTF-8 keeps its bytes as lone surrogates.
use std::ffi::CStr;

use ottla_protocol::records::{EncodedHeaders, RawHeaders, encode_header};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};

use crate::raw::text;

const SURROGATES: &CStr = c"surrogateescape";

/// Headers encoded for one record; the buffer is kept from call to call.
#[derive(Default)]
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    count: u32,
}

impl Encoded {
    /// The view that `append` takes.
    pub(crate) fn view(&self) -> EncodedHeaders<'_> {
        EncodedHeaders { count: self.count, bytes: &self.bytes }
    }

    /// Encodes what the caller of `produce` gave; forgets what was there.
    pub(crate) fn fill(&mut self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        self.bytes.clear();
        self.count = 0;
        if let Ok(list) = headers.cast::<PyList>() {
            for item in list.iter() {
                let pair =
                    item.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2).ok_or_else(|| {
                        PyTypeError::new_err("Headers are expected to be a list of (key, value) tuples")
                    })?;
                self.add(&pair.get_item(0)?, &pair.get_item(1)?)?;
            }
            return Ok(());
        }
        if let Ok(dict) = headers.cast::<PyDict>() {
            for (key, value) in dict.iter() {
                self.add(&key, &value)?;
            }
            return Ok(());
        }
        let given = headers.get_type().name()?;
        Err(PyTypeError::new_err(format!("expected headers to be dict or list of (key, value) tuples, not {given}")))
    }

    fn add(&mut self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // Whatever the key is, its text is taken, as in the original.
        let key = key.str()?;
        let key = key.to_str()?.as_bytes();
        if value.is_none() {
            encode_header(&mut self.bytes, key, None);
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            encode_header(&mut self.bytes, key, Some(bytes.as_bytes()));
        } else if let Ok(string) = value.cast::<PyString>() {
            encode_header(&mut self.bytes, key, Some(string.to_str()?.as_bytes()));
        } else {
            let given = value.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "expected header value to be None, binary, or unicode string, not {given}"
            )));
        }
        self.count += 1;
        Ok(())
    }
}

/// The list of `(key, value)`; `None` for no headers.
pub(crate) fn to_list<'py>(py: Python<'py>, headers: RawHeaders<'_>) -> PyResult<Option<Bound<'py, PyList>>> {
    if headers.is_empty() {
        return Ok(None);
    }
    let list = PyList::empty(py);
    // What cannot be read of a record that was checked whole before is left out.
    for (key, value) in headers.iter().map_while(Result::ok) {
        let key = text::decode(py, key, SURROGATES)?;
        list.append((key, value.map(|value| PyBytes::new(py, value))))?;
    }
    Ok(Some(list))
}
