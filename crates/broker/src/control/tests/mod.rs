//! Faults, the request log and the verbs, in virtual time.
mod errors;
mod faults;
mod records;
mod topics;
mod verbs;
