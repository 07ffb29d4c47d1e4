//! `Consumer.memberid` and `consumer_group_metadata`: who this member is. The metadata is an opaque value, in the original's layout, so that it
//! pickles and is understood by either package's `send_offsets_to_transaction`.
use ottla::{GroupMetadata, Pending};
use ottla_machines::error::{Error, Kind};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::class::Consumer;
use crate::confluent::error;
use crate::waiting;

const MAGIC: &[u8] = b"CGMDv2:";

/// The member's id, `None` while it is no member.
pub(super) fn memberid(this: &Consumer, py: Python<'_>) -> PyResult<Option<String>> {
    let metadata = ask(this, py)?;
    Ok(Some(metadata.member_id).filter(|id| !id.is_empty()))
}

/// The opaque value.
pub(super) fn group_metadata<'py>(this: &Consumer, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
    let metadata = ask(this, py)?;
    Ok(PyBytes::new(py, &encode(&metadata)))
}

fn ask(this: &Consumer, py: Python<'_>) -> PyResult<GroupMetadata> {
    let engine = this.open(py)?;
    let pending: Pending<GroupMetadata> = py.detach(|| engine.client.group_metadata());
    match waiting::until(py, None, |end| pending.wait_until(end))? {
        Some(Ok(metadata)) => Ok(metadata),
        Some(Err(failed)) => Err(error::raise(py, "", &failed)),
        None => Err(error::raise(py, "", &Error::new(Kind::TimedOut))),
    }
}

/// Generation in the machine's byte order, texts ended by a zero, a flag for "no instance id".
fn encode(metadata: &GroupMetadata) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&metadata.generation.to_ne_bytes());
    for text in [&metadata.group_id, &metadata.member_id] {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    match &metadata.instance_id {
        None => out.push(1),
        Some(id) => {
            out.push(0);
            out.extend_from_slice(id.as_bytes());
            out.push(0);
        }
    }
    out
}
