//! How the page spells what people compare.

use super::*;

#[test]
fn thousands_are_told_apart() {
    let spelled = |micros: i64| cents(Usd::from_micros(micros));
    assert_eq!(spelled(0), "0.00");
    assert_eq!(spelled(999_990_000), "999.99");
    assert_eq!(spelled(1_000_000_000), "1,000.00");
    assert_eq!(spelled(-100_000_000), "-100.00");
    assert_eq!(spelled(-1_234_567_890_000), "-1,234,567.89");
}
