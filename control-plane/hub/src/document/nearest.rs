//! Which known word was meant by an unknown one.

/// The known word that differs least, where it differs little enough to be a slip.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = 1 + word.chars().count() / 3;
    let lower = word.to_lowercase().replace('_', "-");
    let distances = known.into_iter().map(|k| (distance(&lower, k), k));
    distances.filter(|(d, _)| *d <= far).min().map(|(_, k)| k)
}

/// Insertions, removals and exchanges of single characters from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let known = ["min-saving", "max-price", "floor", "pools"];
        assert_eq!(nearest("min_savings", known), Some("min-saving"));
        assert_eq!(nearest("flor", known), Some("floor"));
        assert_eq!(nearest("schedule", known), None);
    }
}
