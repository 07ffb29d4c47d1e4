//! The unsafe foundation of the border: what PyO3 does not offer, or not fast enough. Each file is one border problem, small, with a safe
//! face where it can have one (`unsafe` is allowed in these files and in the few others that `xtask tidy` lists).
//!
//! * `guard`: the one way from C into a safe body; a panic ends there.
//! * `arguments`: CPython's own parser of arguments, for the exact rules and texts of the original.
//! * `attached`: state under the lock of the interpreter.
//! * `text`: strings between CPython and Rust.
//! * `fastcall`: arguments of the hot methods, compared by identity first, and methods put into a type as raw descriptors.
pub(crate) mod arguments;
pub(crate) mod attached;
pub(crate) mod fastcall;
pub(crate) mod guard;
pub(crate) mod text;
pub(crate) mod thread;
