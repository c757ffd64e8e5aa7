//! Values that many files have: numbers, shares, lengths of time, account ids.

use spothub_core::id::{AccountId, OuPath, Region};
use spothub_core::money::Percent;
use spothub_core::time::Span;

use super::At;

/// A type that can be read from one value of a file.
pub trait Read: Sized {
    /// The value, or `None` after its mistake was noted.
    fn read(at: &At<'_>) -> Option<Self>;
}

impl Read for bool {
    fn read(at: &At<'_>) -> Option<Self> {
        at.word(&[("true", true), ("false", false)])
    }
}

impl Read for u32 {
    fn read(at: &At<'_>) -> Option<Self> {
        at.within(0..=u64::from(Self::MAX)).and_then(|n| Self::try_from(n).ok())
    }
}

impl Read for String {
    fn read(at: &At<'_>) -> Option<Self> {
        at.text().map(ToOwned::to_owned)
    }
}

impl Read for Span {
    fn read(at: &At<'_>) -> Option<Self> {
        let (text, _) = at.scalar("a length of time")?;
        span(text).or_else(|| {
            at.fail(
                format_args!("{text:?} is no length of time"),
                "write a number and its unit: 150ms, 90s, 5m, 2h, 1d",
            )
        })
    }
}

/// The length of time that a text says; see [`Span`].
#[must_use]
pub fn span(text: &str) -> Option<Span> {
    text.parse().ok()
}

impl Read for Percent {
    fn read(at: &At<'_>) -> Option<Self> {
        let (text, _) = at.scalar("a percentage")?;
        let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let found = digits.parse().ok().and_then(|n| Self::new(n).ok());
        match found {
            Some(percent) if plain => Some(percent),
            _ if plain => at.fail(format_args!("{text} is over 100 percent"), "give 0% to 100%"),
            _ => at.fail(format_args!("{text:?} is no whole percentage"), "give 0% to 100%"),
        }
    }
}

impl Read for AccountId {
    fn read(at: &At<'_>) -> Option<Self> {
        let (text, plain) = at.scalar("an account id in quotes")?;
        let digits = digits_of_account(text);
        match (text.parse(), digits) {
            (Ok(id), _) if !plain => Some(id),
            // Even where this reader sees all zeros, the next tool would read a number.
            (_, Some(id)) if plain => at.fail(
                format_args!("the account id {text} stands without quotes, so YAML reads a number and drops its zeros"),
                format_args!("write it in quotes, with all twelve digits: \"{id}\""),
            ),
            (_, Some(id)) => at.fail(
                format_args!("the account id {text:?} has {} digits instead of twelve", text.len()),
                format_args!("if zeros were lost in front, write \"{id}\""),
            ),
            (_, None) => at.fail(format_args!("{text:?} is no account id"), "write twelve digits in quotes"),
        }
    }
}

/// The account id that was meant by digits that may have lost zeros in front.
#[must_use]
pub fn digits_of_account(text: &str) -> Option<AccountId> {
    let plain = !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok().and_then(AccountId::from_number) } else { None }
}

impl Read for OuPath {
    fn read(at: &At<'_>) -> Option<Self> {
        at.parsed()
    }
}

impl Read for Region {
    fn read(at: &At<'_>) -> Option<Self> {
        at.parsed()
    }
}
