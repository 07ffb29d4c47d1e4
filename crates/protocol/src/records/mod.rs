//! Record batches of magic 2 (KIP-98): the 61-byte header, records written straight into a chunk, records read as views.
//!
//! * [`header`]: the batch header, sealing, CRC; [`control`]: what a control batch says.
//! * [`writer`]: one record in wire format; [`reader`]: batches of a Fetch response, records of a batch.
//! * [`varint`]: the zigzag varints of records.
//!
//! Left to others: when a batch is full or sealed, compression ([`crate::compression`]), sequence numbers, message sets
//! of magic 0 and 1.
pub mod append;
pub mod control;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod header;
pub mod reader;
pub mod varint;
pub mod writer;

pub use append::{APPEND_LIMIT, RECORD_OVERHEAD, append_record};
pub use control::{ControlRecord, ControlType};
pub use error::RecordsError;
pub use header::{BATCH_HEADER_LEN, BatchHeader, TimestampType, timestamp};
pub use reader::{BatchIter, RawHeaders, RecordOffsets, RecordView, check_crc, read_record, read_record_offsets};
pub use writer::{EncodedHeaders, RecordSize, encode_header, record_size, write_record, write_record_prefix};
