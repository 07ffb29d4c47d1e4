//! What happens where there is no offset to go on from: `auto.offset.reset`, in the original's words.
use std::sync::Arc;

use super::positions::{OFFSET_INVALID, StartOffset};
use crate::config::OffsetReset;
use crate::error::{Error, Kind};
use crate::machine::NodeId;

/// Why the policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetCause {
    /// No offset was given and none is committed.
    NoOffset,
    /// The log does not have the offset: retention removed it, or it is beyond the end.
    OutOfRange { offset: i64, broker: NodeId },
    /// The topic was deleted and made anew (KIP-516): its offsets mean other records.
    Recreated { offset: i64, broker: NodeId },
    /// The log was cut back below the position and written anew: KIP-320.
    Truncated { offset: i64, end_offset: i64, broker: NodeId },
}

impl ResetCause {
    fn offset(self) -> i64 {
        match self {
            Self::NoOffset => OFFSET_INVALID,
            Self::OutOfRange { offset, .. } | Self::Recreated { offset, .. } | Self::Truncated { offset, .. } => offset,
        }
    }

    fn text(self) -> String {
        match self {
            Self::NoOffset => "no previously committed offset available: Local: No offset stored".to_owned(),
            Self::OutOfRange { .. } => {
                "fetch failed due to requested offset not available on the broker: Broker: Offset out of range"
                    .to_owned()
            }
            Self::Recreated { .. } => "the topic was deleted and made anew, its id has changed".to_owned(),
            Self::Truncated { offset, end_offset, .. } => format!(
                "Partition log truncation detected at offset {offset}: broker end offset is {end_offset}: Local: Partition log truncation detected"
            ),
        }
    }

    fn broker(self) -> Option<NodeId> {
        match self {
            Self::NoOffset => None,
            Self::OutOfRange { broker, .. } | Self::Recreated { broker, .. } | Self::Truncated { broker, .. } => {
                Some(broker)
            }
        }
    }
}

/// What the policy says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reset {
    /// Go on there; a line for the log where something was lost.
    To(StartOffset, Option<String>),
    /// The partition yields this error about this offset, and stops.
    Fail(i64, Error),
}

/// Asks the policy.
pub(crate) fn reset(policy: OffsetReset, cause: ResetCause, topic: &Arc<str>, partition: i32) -> Reset {
    let (start, name) = match policy {
        OffsetReset::Earliest => (StartOffset::Beginning, "BEGINNING"),
        OffsetReset::Latest => (StartOffset::End, "END"),
        OffsetReset::Error => {
            let text = match cause.broker() {
                Some(NodeId(broker)) => format!("{} (broker {broker})", cause.text()),
                None => cause.text(),
            };
            return Reset::Fail(cause.offset(), Error::with_text(Kind::AutoOffsetReset, text));
        }
    };
    let line = cause.broker().map(|NodeId(broker)| {
        format!(
            "{topic} [{partition}]: offset reset (at offset {}, broker {broker}) to offset {name}: {}",
            cause.offset(),
            cause.text()
        )
    });
    Reset::To(start, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_chooses_and_error_has_the_originals_words() {
        let topic: Arc<str> = "t".into();
        let gone = ResetCause::OutOfRange { offset: 100, broker: NodeId(0) };
        assert_eq!(reset(OffsetReset::Latest, ResetCause::NoOffset, &topic, 0), Reset::To(StartOffset::End, None));
        let line = "t [0]: offset reset (at offset 100, broker 0) to offset BEGINNING: fetch failed due to requested offset not available on the broker: Broker: Offset out of range";
        assert_eq!(
            reset(OffsetReset::Earliest, gone, &topic, 0),
            Reset::To(StartOffset::Beginning, Some(line.to_owned()))
        );
        let text =
            "fetch failed due to requested offset not available on the broker: Broker: Offset out of range (broker 0)";
        assert_eq!(
            reset(OffsetReset::Error, gone, &topic, 0),
            Reset::Fail(100, Error::with_text(Kind::AutoOffsetReset, text))
        );
        let text = "no previously committed offset available: Local: No offset stored";
        assert_eq!(
            reset(OffsetReset::Error, ResetCause::NoOffset, &topic, 0),
            Reset::Fail(-1001, Error::with_text(Kind::AutoOffsetReset, text))
        );
    }
}
