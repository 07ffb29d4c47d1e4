//! `Message`: a raw heap type without the collector's flag and with a free list, because PyO3's classes are all collectable, which costs
//! 100 ns a message and, beside many live objects, whole collector passes (see `docs/design/`).
//!
//! * `object`: the memory of a message, how it is made and freed, the free list.
//! * `methods`: what Python sees of it. `class`: the type.
//!
//! Without the collector a message holds bytes, str, None and what the user sets: a cycle that a user builds through `set_value` or the
//! headers leaks.
mod class;
mod methods;
mod object;

pub(crate) use class::register;
pub(crate) use object::{New, RecordSource, TIMESTAMP_LENT, bytes, lend, make, origin, take_back};
