//! What tests do to topics and logs without a client, and what they look at.

use ottla_protocol::records::{BatchHeader, RecordsError, TimestampType, check_crc};

use super::{Cluster, CreateError, NewTopic};
use crate::frame::Frame;
use crate::log::Rules;
use crate::machine::Now;

/// Why a batch was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// There is no such topic or partition.
    UnknownPartition,
    /// The bytes are not exactly one batch.
    Malformed(Option<RecordsError>),
    /// The checksum is wrong.
    WrongCrc,
}

impl Cluster {
    /// Creates a topic; `None` are the settings' defaults.
    ///
    /// # Errors
    /// As [`CreateError`] says.
    pub fn create_topic(
        &mut self,
        _now: Now,
        name: &str,
        partitions: Option<i32>,
        replication_factor: Option<i16>,
    ) -> Result<(), CreateError> {
        self.make_topic(name, NewTopic { partitions, replication_factor, ..NewTopic::default() }).map(|_| ())
    }

    /// Deletes a topic with its records; gives whether there was one.
    pub fn delete_topic(&mut self, _now: Now, name: &str) -> bool {
        self.remove_topic(name)
    }

    /// The offset that the next record of a partition gets; `None` where there is no such partition.
    pub fn log_end(&self, topic: &str, partition: i32) -> Option<i64> {
        Some(self.topics.by_name(topic)?.partition(partition)?.log().end_offset())
    }

    /// The bytes of all batches of a partition, from the first one, as a Fetch would give them.
    pub fn log_bytes(&self, topic: &str, partition: i32) -> Option<Vec<u8>> {
        let log = self.topics.by_name(topic)?.partition(partition)?.log();
        let read = log.read(log.start_offset(), usize::MAX, true, false).ok()?;
        Some(read.segments.iter().flat_map(|segment| segment.as_slice().to_vec()).collect())
    }

    /// Appends one batch as it is, but for its base offset and leader epoch: control batches and parts of transactions
    /// too, of which no client is checked. Gives the batch's base offset, and wakes who waits for it.
    ///
    /// # Errors
    /// As [`AppendError`] says.
    pub fn append_batch(&mut self, topic: &str, partition: i32, bytes: Vec<u8>) -> Result<i64, AppendError> {
        let found = self.topics.by_name_mut(topic).and_then(|topic| topic.partition_mut(partition));
        let Some(partition) = found else { return Err(AppendError::UnknownPartition) };
        let header = BatchHeader::parse(&bytes).map_err(|error| AppendError::Malformed(Some(error)))?;
        if header.whole_length() != bytes.len() {
            return Err(AppendError::Malformed(None));
        }
        if !check_crc(&header, &bytes) {
            return Err(AppendError::WrongCrc);
        }
        let rules = Rules {
            max_message_bytes: i32::MAX,
            timestamp_type: TimestampType::CreateTime,
            timestamp_after_max_ms: i64::MAX,
            timestamp_before_max_ms: i64::MAX,
            wall_ms: 0,
        };
        let leader_epoch = partition.leader_epoch();
        let (length, mut frame) = (bytes.len(), Frame::new(bytes));
        let appended = partition.log_mut().append(&mut frame, 0..length, header, leader_epoch, &rules);
        self.stored_bytes = self.stored_bytes.saturating_add(length as u64);
        self.woken.extend(partition.waiting());
        Ok(appended.base_offset)
    }
}
