//! How an error gets into a response: read back, changed, written again. One file a family of APIs.
//!
//! * [`apply`]: by API. [`blow`]: what is to be imposed, and where it hits. [`recode`]: what came and what goes, as values. [`topics`]: APIs that
//!   answer by topic and partition; [`groups`]: those of groups. [`strip`]: what of a request is left to be applied.
//!   [`first_error`]: what went wrong in a response, for the request log. [`corrupt`]: a wrong bit in a batch.
//!   [`unlist`]: a leader that is not among the brokers.
mod apply;
mod blow;
mod corrupt;
mod first_error;
mod groups;
mod recode;
mod strip;
mod topics;
mod unlist;

pub(crate) use apply::{can_fail, impose};
pub(crate) use blow::Blow;
pub(crate) use corrupt::corrupt_batch;
pub(crate) use first_error::first_error;
pub(crate) use recode::Asked;
pub(crate) use strip::{Rest, strip};
pub(crate) use unlist::unlist_leader;
