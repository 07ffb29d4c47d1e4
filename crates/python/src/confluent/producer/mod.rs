//! `Producer`.
//!
//! * `class`: the class, its life (init, close, fork, exit), and what is not hot.
//! * `engine`: one client with what the border adds to it. `produce`, `poll`: the raw methods.
//! * `reports`: delivery reports and their callbacks. `exit`: the flush at the end of the process.
mod class;
mod engine;
mod exit;
mod poll;
mod produce;
mod reports;

pub(crate) use class::register;
pub(crate) use exit::flush_all;
