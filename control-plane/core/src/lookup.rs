//! A table that is looked into and never listed: its order cannot reach a decision, so it may be a hash table.
//!
//! For keys that are asked for one by one and often; whatever is listed stays in a `BTreeMap`.

#[expect(clippy::disallowed_types, reason = "nothing here lists the table, so its order is never seen")]
type Table<K, V> = std::collections::HashMap<K, V, rustc_hash::FxBuildHasher>;

use std::hash::Hash;

/// Values by key, without an order.
///
/// The hash has no secret, so whoever chooses keys can choose such that collide, and every look then reads them all.
/// Keys are therefore ids that AWS gives out, or names in what was read of an enrolled account, of which it has a few
/// hundred: AWS's quota bounds what their owner could do. Text from a message's body is no key: it goes into a
/// `BTreeMap`.
#[derive(Clone, Debug)]
pub struct Lookup<K, V>(Table<K, V>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(Table::default())
    }
}

impl<K: Eq + Hash, V> Lookup<K, V> {
    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The value under a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// Whether there is a value under a key.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Puts a value; returns the one before it.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// The value under a key, put there if there is none.
    pub fn get_or_insert_with(&mut self, key: &K, value: impl FnOnce() -> V) -> &mut V
    where
        K: Clone,
    {
        self.0.entry(key.clone()).or_insert_with(value)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
