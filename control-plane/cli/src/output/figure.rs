//! Numbers and sentences as people read them.

use spothub_core::money::UsdPerHour;

/// A number with commas between thousands.
pub(super) fn count(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A decimal amount in whole cents, rounded to the nearest; 0 for what is no amount.
pub(super) fn cents(amount: &str) -> i64 {
    // The type is a price's, but its spelling is that of every amount here: six decimals.
    amount.parse::<UsdPerHour>().map_or(0, |parsed| (parsed.0 + 5000).div_euclid(10_000))
}

/// A decimal amount with commas and two decimals.
pub(super) fn usd(amount: &str) -> String {
    let cents = cents(amount);
    let sign = if cents < 0 { "-" } else { "" };
    let whole = cents.unsigned_abs();
    format!("{sign}{}.{:02}", count(whole / 100), whole % 100)
}

/// A percentage with one decimal.
pub(super) fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

/// A part of a whole in percent, rounded down to a tenth; a dash where there is no whole.
pub(super) fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "-".to_owned();
    }
    let tenths = (i128::from(part) * 1000).div_euclid(i128::from(whole));
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{} %", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
}

/// A text in lines of at most `width` characters, broken between words; a longer word stands alone.
pub(super) fn wrap(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(
            (count(0_u32), count(999_u32), count(1_234_567_u32)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!(
            (usd("1234.565000"), usd("-0.004000"), usd("-1.500000")),
            ("1,234.57".into(), "0.00".into(), "-1.50".into())
        );
        assert_eq!((share(1, 3), share(0, 0), share(-1, 2)), ("33.3 %".into(), "-".into(), "-50.0 %".into()));
        assert_eq!(wrap("one two three", 7).collect::<Vec<_>>(), ["one two", "three"]);
    }
}
