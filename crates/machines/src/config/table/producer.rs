//! Keys of the producer. What the columns mean stands in `key`.
use super::key::{Key, key};
use crate::config::{Scope::*, Type::*};

// One key a line reads as the table that it is.
#[rustfmt::skip]
pub(super) static KEYS: &[Key] = &[
    key("batch.num.messages", Producer, Integer(1, 1000000), "10000"),
    key("batch.size", Producer, Integer(1, 2147483647), "1000000"),
    key("compression.codec", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd"]), "none"),
    key("compression.type", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd"]), "none").alias_of("compression.codec"),
    key("delivery.report.only.error", Producer, Boolean, "false"),
    key("dr_cb", Producer, Callback, "").refused("it is set by a function of librdkafka's C interface"),
    key("dr_msg_cb", Producer, Callback, "").refused("it is set by a function of librdkafka's C interface"),
    key("enable.gapless.guarantee", Producer, Boolean, "false"),
    key("enable.idempotence", Producer, Boolean, "false"),
    key("linger.ms", Producer, Float(0, 900000), "5").alias_of("queue.buffering.max.ms"),
    key("message.send.max.retries", Producer, Integer(0, 2147483647), "2147483647"),
    key("queue.buffering.backpressure.threshold", Producer, Integer(1, 1000000), "1").no_effect("a batch leaves when it is due (linger.ms), not by the number of requests before it"),
    key("queue.buffering.max.kbytes", Producer, Integer(1, 2147483647), "1048576"),
    key("queue.buffering.max.messages", Producer, Integer(0, 2147483647), "100000"),
    key("queue.buffering.max.ms", Producer, Float(0, 900000), "5"),
    key("retries", Producer, Integer(0, 2147483647), "2147483647").alias_of("message.send.max.retries"),
    key("sticky.partitioning.linger.ms", Producer, Integer(0, 900000), "10"),
    key("transaction.timeout.ms", Producer, Integer(1000, 2147483647), "60000").withheld(),
    key("transactional.id", Producer, Text, "").withheld(),
    key("acks", Producer, Integer(-1, 1000), "-1").topic().alias_of("request.required.acks"),
    key("compression.codec", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd", "inherit"]), "inherit").topic(),
    key("compression.level", Producer, Integer(-1, 12), "-1").topic(),
    key("compression.type", Producer, Enum(&["none", "gzip", "snappy", "lz4", "zstd"]), "none").topic().alias_of("compression.codec"),
    key("delivery.timeout.ms", Producer, Integer(0, 2147483647), "300000").topic().alias_of("message.timeout.ms"),
    key("message.timeout.ms", Producer, Integer(0, 2147483647), "300000").topic(),
    key("msg_order_cmp", Producer, Callback, "").topic().deprecated().refused("it is set by a function of librdkafka's C interface"),
    key("partitioner", Producer, Text, "consistent_random").topic(),
    key("partitioner_cb", Producer, Callback, "").topic().refused("it is set by a function of librdkafka's C interface"),
    key("produce.offset.report", Producer, Boolean, "false").topic().deprecated().no_effect("the offset is always reported"),
    key("queuing.strategy", Producer, Enum(&["fifo", "lifo"]), "fifo").topic().deprecated().refused("records leave in the order of their produce calls"),
    key("request.required.acks", Producer, Integer(-1, 1000), "-1").topic(),
    key("request.timeout.ms", Producer, Integer(1, 900000), "30000").topic(),
];
