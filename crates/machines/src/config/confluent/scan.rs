//! Numbers as C reads them (`strtol` and `strtod`: what follows the number is not looked at) and as it writes them (`%g`). The original takes
//! `"5ms"` for 5 and shows a refused value in this form; programs that match on its texts see the same.

/// `strtol` of base 0, cut to 32 bits as in the original; `None` where no number stands at the front.
pub(super) fn integer(text: &str) -> Option<i32> {
    let (negative, digits) = sign(text);
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.strip_prefix("0x") {
        Some(hex) if hex.starts_with(|first: char| first.is_ascii_hexdigit()) => (16, hex),
        _ if lower.starts_with('0') => (8, lower.as_str()),
        _ => (10, lower.as_str()),
    };
    let mut value: Option<i64> = None;
    for digit in digits.chars().map_while(|digit| digit.to_digit(radix)) {
        let next = value.unwrap_or(0).saturating_mul(i64::from(radix));
        value =
            Some(if negative { next.saturating_sub(i64::from(digit)) } else { next.saturating_add(i64::from(digit)) });
    }
    // The original keeps a C int: the upper half of a large number is lost, and its range check sees what is left.
    value.map(|value| value as i32)
}

/// `strtod`; `None` where no number stands at the front, and for "nan", which fits no range.
pub(super) fn float(text: &str) -> Option<f64> {
    let (negative, digits) = sign(text);
    let lower = digits.to_ascii_lowercase();
    let magnitude = if lower.starts_with("inf") {
        f64::INFINITY
    } else if lower.strip_prefix("0x").is_some_and(|hex| hex.starts_with(|first: char| first.is_ascii_hexdigit())) {
        f64::from(integer(&lower)?)
    } else {
        let end = decimal_length(lower.as_bytes());
        lower[..end].parse().ok()?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// White space and a sign in front, as C skips them.
fn sign(text: &str) -> (bool, &str) {
    let text = text.trim_start_matches(|blank: char| blank.is_ascii_whitespace() || blank == '\x0b');
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// How many bytes at the front are a decimal number with fraction and exponent.
fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if text.get(end) == Some(&b'e') {
        let signed = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = if signed <= text.len() { digits(signed) } else { 0 };
        if exponent > 0 {
            end = signed + exponent;
        }
    }
    end
}

/// `%g`: six significant digits, an exponent where the number is very large or very small, no zeros at the end.
pub(super) fn shown(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..6).contains(&exponent) {
        trimmed(&format!("{value:.*}", (5 - exponent).max(0) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_the_original_reads_them() {
        for (text, value) in [
            ("5", Some(5)),
            (" -5", Some(-5)),
            ("+1", Some(1)),
            ("1MB", Some(1)),
            ("1.5", Some(1)),
            ("0x10", Some(16)),
            ("0x", Some(0)),
            ("010", Some(8)),
            ("08", Some(0)),
            ("99999999999", Some(1_215_752_191)),
            ("2147483648", Some(-2_147_483_648)),
            ("1000000000000000000000000000000", Some(-1)),
            ("", None),
            ("- 1", None),
            ("x", None),
            ("True", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn floats_are_read_as_the_original_reads_them() {
        for (text, value) in [
            ("5.5", Some(5.5)),
            (".5", Some(0.5)),
            ("1e2", Some(100.0)),
            ("1e", Some(1.0)),
            ("1e+", Some(1.0)),
            ("5ms", Some(5.0)),
            (" 5", Some(5.0)),
            ("0x10", Some(16.0)),
            ("-0.5", Some(-0.5)),
            ("infinity", Some(f64::INFINITY)),
            (".", None),
            ("", None),
            ("abc", None),
            ("nan", None),
            ("True", None),
        ] {
            assert_eq!(float(text), value, "{text}");
        }
    }

    #[test]
    fn a_refused_value_is_shown_as_the_original_shows_it() {
        for (value, text) in [
            (-1.0, "-1"),
            (900_001.0, "900001"),
            (900_001.5, "900002"),
            (9_000_015.0, "9.00002e+06"),
            (-0.5, "-0.5"),
            (1e300, "1e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.0, "0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
