//! A memory with an end: what was used longest ago goes first.

use std::collections::BTreeMap;

/// At most `max` values by key; beyond it, the quarter that was used longest ago is forgotten at once, so that a full
/// memory does not search itself at every insert.
pub(crate) struct Bounded<K, V> {
    max: usize,
    turn: u64,
    kept: BTreeMap<K, (u64, V)>,
}

impl<K: Clone + Ord, V: Clone> Bounded<K, V> {
    pub(crate) const fn new(max: usize) -> Self {
        Self { max, turn: 0, kept: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.turn += 1;
        let (used, value) = self.kept.get_mut(key)?;
        *used = self.turn;
        Some(value.clone())
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.turn += 1;
        self.kept.insert(key, (self.turn, value));
        if self.kept.len() > self.max {
            let mut turns: Vec<u64> = self.kept.values().map(|(used, _)| *used).collect();
            turns.sort_unstable();
            let first = turns[turns.len().div_ceil(4)];
            self.kept.retain(|_, (used, _)| *used >= first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut memory = Bounded::new(8);
        for n in 0..100 {
            memory.insert(n, n * 10);
            assert_eq!(memory.get(&0), Some(0), "{n}");
            assert!(memory.kept.len() <= 8);
        }
        assert_eq!(memory.get(&99), Some(990));
        assert_eq!(memory.get(&50), None);
        let mut one = Bounded::new(1);
        one.insert('a', 1);
        one.insert('b', 2);
        assert!(one.kept.len() == 1 && one.get(&'b') == Some(2));
    }
}
