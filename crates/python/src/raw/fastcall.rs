//! The hot methods' calling convention: arguments of METH_FASTCALL | METH_KEYWORDS laid out by name, keyword names compared by the identity of
//! interned strings first and by value after, and raw methods put into a PyO3 class as ordinary method descriptors (so that `super()`,
//! `mock.patch.object` and `inspect.signature` work). What does not fit is left to `arguments`, which knows the texts of refusal.
#![allow(unsafe_code)]
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

/// A raw method: self, the arguments, how many of them are positional, the names of the others.
pub(crate) type Method = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    ffi::Py_ssize_t,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

/// The parameter names of one method, in order.
pub(crate) struct Names<const N: usize> {
    texts: [&'static CStr; N],
    interned: [AtomicPtr<ffi::PyObject>; N],
}

impl<const N: usize> Names<N> {
    pub(crate) const fn new(texts: [&'static CStr; N]) -> Self {
        Self { texts, interned: [const { AtomicPtr::new(ptr::null_mut()) }; N] }
    }

    /// Interns the names, once, at module start. They are never freed.
    pub(crate) fn intern(&self, py: Python<'_>) -> PyResult<()> {
        for (text, place) in self.texts.iter().zip(&self.interned) {
            // SAFETY: the text is null-terminated and attached threads alone come here.
            let name = unsafe { ffi::PyUnicode_InternFromString(text.as_ptr()) };
            if name.is_null() {
                return Err(PyErr::fetch(py));
            }
            place.store(name, Ordering::Relaxed);
        }
        Ok(())
    }

    #[inline(always)]
    fn position(&self, name: *mut ffi::PyObject) -> Option<usize> {
        for (at, interned) in self.interned.iter().enumerate() {
            if interned.load(Ordering::Relaxed) == name {
                return Some(at);
            }
        }
        self.position_by_value(name)
    }

    #[cold]
    fn position_by_value(&self, name: *mut ffi::PyObject) -> Option<usize> {
        // SAFETY: keyword names are str objects, and the texts are ASCII.
        self.texts.iter().position(|text| unsafe { ffi::PyUnicode_CompareWithASCIIString(name, text.as_ptr()) } == 0)
    }
}

/// The arguments of one raw call, borrowed from the caller's frame.
pub(crate) struct Arguments<'py> {
    py: Python<'py>,
    start: *const *mut ffi::PyObject,
    positional: usize,
    names: *mut ffi::PyObject,
}

impl<'py> Arguments<'py> {
    /// # Safety
    /// The last three are what CPython handed to a METH_FASTCALL | METH_KEYWORDS method that is still running.
    #[inline(always)]
    pub(crate) unsafe fn new(
        py: Python<'py>,
        start: *const *mut ffi::PyObject,
        positional: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        Self { py, start, positional: positional as usize, names }
    }

    #[inline(always)]
    fn at(&self, index: usize) -> *mut ffi::PyObject {
        // SAFETY: every caller below stays within the number of arguments that CPython gave.
        unsafe { *self.start.add(index) }
    }

    #[inline(always)]
    fn keywords(&self) -> usize {
        if self.names.is_null() {
            return 0;
        }
        // SAFETY: the names are a tuple where there are any.
        unsafe { ffi::PyTuple_Size(self.names) as usize }
    }

    /// Borrowed objects by parameter, null where none was given; `None` if the call does not fit (the slow parser then says why).
    #[inline(always)]
    pub(crate) fn lay_out<const N: usize>(&self, names: &Names<N>) -> Option<[*mut ffi::PyObject; N]> {
        if self.positional > N {
            return None;
        }
        let mut places = [ptr::null_mut(); N];
        for (index, place) in places.iter_mut().enumerate().take(self.positional) {
            *place = self.at(index);
        }
        for keyword in 0..self.keywords() {
            // SAFETY: within the tuple's length.
            let name = unsafe { ffi::PyTuple_GetItem(self.names, keyword as ffi::Py_ssize_t) };
            let place = &mut places[names.position(name)?];
            if !place.is_null() {
                return None;
            }
            *place = self.at(self.positional + keyword);
        }
        Some(places)
    }

    /// The same arguments as a tuple and a dict, for the slow parser.
    #[cold]
    pub(crate) fn collect(&self) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
        // SAFETY: within the number of arguments; each is alive as long as the call.
        let object = |index| unsafe { Bound::from_borrowed_ptr(self.py, self.at(index)) };
        let args = PyTuple::new(self.py, (0..self.positional).map(object).collect::<Vec<_>>())?;
        if self.keywords() == 0 {
            return Ok((args, None));
        }
        let kwargs = PyDict::new(self.py);
        for keyword in 0..self.keywords() {
            // SAFETY: within the tuple's length.
            let name = unsafe {
                Bound::from_borrowed_ptr(self.py, ffi::PyTuple_GetItem(self.names, keyword as ffi::Py_ssize_t))
            };
            kwargs.set_item(name, object(self.positional + keyword))?;
        }
        Ok((args, Some(kwargs)))
    }
}

/// Puts a raw method into `class` under the name that `doc` begins with (`name($self, ...)\n--\n\n...`).
pub(crate) fn add_method(
    class: &Bound<'_, PyType>,
    name: &'static CStr,
    doc: &'static CStr,
    method: Method,
) -> PyResult<()> {
    // Method definitions live for ever: descriptors point to them.
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: method },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }));
    // SAFETY: class is a type object, the definition is complete and lives for ever; the descriptor checks the type of self at each call.
    let descriptor =
        unsafe { Bound::from_owned_ptr_or_err(class.py(), ffi::PyDescr_NewMethod(class.as_type_ptr(), definition))? };
    class.setattr(&*name.to_string_lossy(), descriptor)
}
