//! State of a Python object that attached threads alone touch: the interpreter's lock is its lock. A borrow must end before Python code can
//! run; one that does not is caught (`RefCell`), not undefined.
#![allow(unsafe_code)]
use std::cell::{Ref, RefCell, RefMut};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

/// A value under the interpreter's lock.
pub(crate) struct Attached<T>(RefCell<T>);

// SAFETY: every access shows that its thread is attached (or is the collector's traversal, which is), and one thread is attached at a time:
// the module asks for the GIL where an interpreter could do without.
unsafe impl<T: Send> Sync for Attached<T> {}

impl<T> Attached<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// The value, until Python code can run again.
    #[inline(always)]
    pub(crate) fn borrow<'a>(&'a self, _attached: Python<'a>) -> RefMut<'a, T> {
        self.0.borrow_mut()
    }

    /// The value of an object that nobody else holds.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// The value for the collector's traversal, which runs on an attached thread; `None` while it is borrowed.
    pub(crate) fn try_borrow_traversing(&self) -> Option<Ref<'_, T>> {
        self.0.try_borrow().ok()
    }
}

/// A reference to a Python object that the collector can see and clear.
pub(crate) type Slot = Attached<Option<Py<PyAny>>>;

impl Slot {
    /// The object, if one is there.
    #[inline(always)]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.borrow(py).as_ref().map(|object| object.bind(py).clone())
    }

    /// Puts another object there; the old one is dropped when the place is whole again.
    pub(crate) fn set(&self, py: Python<'_>, object: Option<Bound<'_, PyAny>>) {
        let old = std::mem::replace(&mut *self.borrow(py), object.map(Bound::unbind));
        drop(old.map(|old| old.into_bound(py)));
    }

    /// Shows the object to the collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.try_borrow_traversing() {
            Some(object) => object.as_ref().map_or(Ok(()), |object| visit.call(object)),
            None => Ok(()),
        }
    }
}
