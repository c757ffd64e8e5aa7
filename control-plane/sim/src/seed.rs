//! Chance from one seed: a stream for each purpose and entity, and a stateless draw.
//!
//! Knows integers only. A new entity never shifts what another one draws.

use std::fmt::{self, Display, Write};

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use spothub_core::time::Span;

/// The hash of a purpose's name, for [`draw`].
#[must_use]
pub const fn purpose(name: &str) -> u64 {
    fnv(FNV_START, name.as_bytes())
}

/// One number from a seed, a purpose and two keys: always the same one.
#[must_use]
pub const fn draw(seed: u64, purpose: u64, a: u64, b: u64) -> u64 {
    mix(mix(mix(seed ^ purpose).wrapping_add(a)).wrapping_add(b))
}

/// The one seed of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seeds(pub u64);

impl Seeds {
    /// The stream for a purpose and an entity.
    #[must_use]
    pub fn stream<K: Display + ?Sized>(self, purpose: &str, key: &K) -> Stream {
        let mut hash = Hash(fnv(FNV_START, purpose.as_bytes()));
        // Hashing cannot fail; a Display that does leaves the hash of what it wrote.
        let _ = write!(hash, "\0{key}");
        Stream(Xoshiro256PlusPlus::seed_from_u64(mix(self.0 ^ hash.0)))
    }

    /// The stream for a purpose and a number, where building a text for it would cost too much.
    #[must_use]
    pub fn stream_at(self, purpose_hash: u64, number: u64) -> Stream {
        Stream(Xoshiro256PlusPlus::seed_from_u64(draw(self.0, purpose_hash, number, 0)))
    }

    /// See [`draw`].
    #[must_use]
    pub const fn draw(self, purpose: u64, a: u64, b: u64) -> u64 {
        draw(self.0, purpose, a, b)
    }
}

/// One sequence of numbers.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `n` - 1; 0 where `n` is 0. The bias is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        scale(self.bits(), n)
    }

    /// An index below `n`; 0 where `n` is 0.
    pub fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included; `low` where they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(width.saturating_add(1))).unwrap_or(0))
    }

    /// True in `ppm` of a million cases.
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// True in `permille` of a thousand cases.
    pub fn permille(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }

    /// A waiting time with this mean, as between independent events (exponential, to the millisecond).
    pub fn wait(&mut self, mean: Span) -> Span {
        Span(exponential(self.bits(), mean.0))
    }

    /// An index, each as likely as its weight; `None` where all weights are 0.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> Option<usize> {
        let total: u64 = weights.clone().sum();
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return Some(index);
            }
            left -= weight;
        }
        None
    }
}

/// Maps 64 random bits to 0 .. n.
#[must_use]
pub(crate) const fn scale(bits: u64, n: u64) -> u64 {
    // The high half of a 128-bit product lies below n, so it fits.
    ((bits as u128 * n as u128) >> 64) as u64
}

/// `mean` × ln(1 / u) for a u in (0, 1] given by 64 random bits, in integers.
fn exponential(bits: u64, mean: i64) -> i64 {
    // ln(2^64 / x) = (64 - log2 x) × ln 2; log2 with 16 fractional bits by squaring.
    let x = bits | 1;
    let mut fraction: u64 = 0;
    let lead = u64::from(x.leading_zeros());
    let mut m = u128::from(x << lead) >> 32; // in [2^31, 2^32)
    for _ in 0..16 {
        m = (m * m) >> 31;
        fraction <<= 1;
        if m >= 1 << 32 {
            m >>= 1;
            fraction |= 1;
        }
    }
    let log2 = ((63 - lead) << 16) | fraction;
    let minus_log2 = (64 << 16) - log2;
    // 45,426 / 2^16 is ln 2.
    let product = i128::from(mean) * i128::from(minus_log2) * 45_426;
    i64::try_from(product >> 32).unwrap_or(i64::MAX)
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

const fn fnv(start: u64, bytes: &[u8]) -> u64 {
    let mut hash = start;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The finalizer of splitmix64.
#[must_use]
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Hash(u64);

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = fnv(self.0, text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stream_for_each_purpose_and_entity() {
        let seeds = Seeds(7);
        let mut again = seeds.stream("owner", "g1");
        assert_eq!(seeds.stream("owner", "g1").bits(), again.bits());
        assert_ne!(seeds.stream("owner", "g2").bits(), seeds.stream("owner", "g1").bits());
        assert_ne!(seeds.stream("fault", "g1").bits(), seeds.stream("owner", "g1").bits());
        assert_ne!(Seeds(8).stream("owner", "g1").bits(), seeds.stream("owner", "g1").bits());
    }

    #[test]
    fn numbers_stay_in_their_bounds() {
        let mut stream = Seeds(1).stream("test", "bounds");
        for _ in 0..1000 {
            assert!(stream.below(3) < 3);
            assert!((-2..=2).contains(&stream.between(-2, 2)));
        }
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.between(5, 1), 5);
        assert!(!stream.chance(0));
        assert!(stream.chance(1_000_000));
        assert_eq!(stream.weighted([0, 0, 4].into_iter()), Some(2));
        assert_eq!(stream.weighted([0].into_iter()), None);
    }

    #[test]
    fn waits_have_the_mean_asked_for() {
        let mut stream = Seeds(1).stream("test", "wait");
        let total: i64 = (0..20_000).map(|_| stream.wait(Span::secs(100)).0).sum();
        let mean = total / 20_000;
        assert!((97_000..103_000).contains(&mean), "{mean}");
    }
}
