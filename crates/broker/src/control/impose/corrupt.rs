//! A wrong bit in a batch that a Fetch brings, so that its checksum does not hold.

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::fetch::FetchResponse;
use ottla_protocol::primitives::Records;

use super::recode::{flat, response};
use crate::cluster::Topics;
use crate::control::facts::topic_name;
use crate::control::fault::Select;
use crate::handlers::{Call, Reply};

/// Where in a batch its attributes begin, the first bytes that the checksum covers.
const CHECKED_FROM: usize = 21;

/// The reply with a wrong bit in the first batch of the first selected partition that has one; `None` where none has.
pub(crate) fn corrupt_batch(call: &Call, topics: &Topics, select: &Select, reply: &Reply) -> Option<Reply> {
    if call.api != ApiKey::Fetch {
        return None;
    }
    let mut bytes = flat(reply.clone());
    let place = {
        let fetched: FetchResponse<'_> = response(call, &bytes)?;
        let mut batches = fetched.responses.iter().flat_map(|topic| {
            topic.partitions.iter().filter_map(move |data| match data.records {
                Some(Records::Bytes(records)) => Some((topic, data.partition_index, records)),
                _ => None,
            })
        });
        let (.., records) = batches.find(|(topic, partition, records)| {
            let name = topic_name(topics, topic.topic, topic.topic_id);
            records.len() > CHECKED_FROM
                && select.topic.as_ref().is_none_or(|selected| selected == name)
                && select.partition.is_none_or(|selected| selected == *partition)
        })?;
        let length = i32::from_be_bytes(records.get(8..12)?.try_into().ok()?);
        let end = usize::try_from(length).ok()?.saturating_add(12).min(records.len());
        (records.as_ptr() as usize - bytes.as_ptr() as usize) + end - 1
    };
    *bytes.get_mut(place)? ^= 0x10;
    Some(Reply::of_bytes(bytes))
}
