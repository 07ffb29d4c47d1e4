//! Ranges of versions (`3+`, `0-5`, `2`, `none`) and the shortest Rust condition that tells whether one holds.

/// Versions `low` to `high`, both included; none where `low` is above `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) low: i16,
    pub(super) high: i16,
}

impl Versions {
    pub(super) const NONE: Self = Self { low: 0, high: -1 };

    /// Reads Kafka's notation.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<i16>().map_err(|_| format!("not a version range: {text}"));
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(low) = text.strip_suffix('+') {
            return Ok(Self { low: number(low)?, high: i16::MAX });
        }
        match text.split_once('-') {
            Some((low, high)) => Ok(Self { low: number(low)?, high: number(high)? }),
            None => Ok(Self { low: number(text)?, high: number(text)? }),
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub(super) fn contains(self, version: i16) -> bool {
        (self.low..=self.high).contains(&version)
    }

    pub(super) fn intersect(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// A Rust expression for "`version` is in this range", where it is known to be `within`.
    pub(super) fn condition(self, within: Self) -> Condition {
        let range = self.intersect(within);
        if range.is_empty() {
            Condition::Never
        } else if range == within {
            Condition::Always
        } else if range.low == range.high {
            Condition::If(format!("version == {}", range.low))
        } else if range.high == within.high {
            Condition::If(format!("version >= {}", range.low))
        } else if range.low == within.low {
            Condition::If(format!("version <= {}", range.high))
        } else {
            Condition::If(format!("({}..={}).contains(&version)", range.low, range.high))
        }
    }

    /// A Rust expression for "`version` is not in this range", where [`condition`](Self::condition) is an `If`.
    pub(super) fn outside(self, within: Self) -> String {
        let range = self.intersect(within);
        if range.low == range.high {
            format!("version != {}", range.low)
        } else if range.high == within.high {
            format!("version < {}", range.low)
        } else if range.low == within.low {
            format!("version > {}", range.high)
        } else {
            format!("!({}..={}).contains(&version)", range.low, range.high)
        }
    }

    /// As the definitions write it, for documentation.
    pub(super) fn text(self) -> String {
        match self {
            range if range.is_empty() => "none".to_owned(),
            Self { low, high: i16::MAX } => format!("{low}+"),
            Self { low, high } if low == high => low.to_string(),
            Self { low, high } => format!("{low}-{high}"),
        }
    }
}

/// What a range comes to in generated code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    If(String),
}

impl Condition {
    /// As a Rust expression of type `bool`.
    pub(super) fn expression(&self) -> &str {
        match self {
            Self::Always => "true",
            Self::Never => "false",
            Self::If(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_relative_to_what_is_known() {
        let within = Versions { low: 2, high: 9 };
        let condition = |text: &str| Versions::parse(text).map(|range| range.condition(within));
        assert_eq!(condition("0+"), Ok(Condition::Always));
        assert_eq!(condition("none"), Ok(Condition::Never));
        assert_eq!(condition("0-1"), Ok(Condition::Never));
        assert_eq!(condition("3+"), Ok(Condition::If("version >= 3".to_owned())));
        assert_eq!(condition("0-4"), Ok(Condition::If("version <= 4".to_owned())));
        assert_eq!(condition("9+"), Ok(Condition::If("version == 9".to_owned())));
        assert_eq!(condition("4-5"), Ok(Condition::If("(4..=5).contains(&version)".to_owned())));
        assert!(condition("x").is_err());
    }
}
