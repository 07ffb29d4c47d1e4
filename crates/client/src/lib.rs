//! The client shell.
