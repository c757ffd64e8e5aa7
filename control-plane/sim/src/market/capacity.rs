//! How many Spot instances a pool can hold, in steps of five minutes: usual capacity, episodes and storms.

use std::sync::atomic::Ordering;

use spothub_core::time::Timestamp;

use super::{Market, PoolId, signed, unsigned};
use crate::seed::{draw, purpose, scale};
use crate::shape::StormShape;

/// One step of capacity, in milliseconds.
pub(crate) const STEP: i64 = 300_000;
/// Pools step in this many groups, one after the other within a step.
pub(crate) const BEATS: i64 = 10;
/// Each pool draws once in this time whether an episode begins; no episode may be longer.
const WINDOW: i64 = 6 * 3_600_000;
const WINDOWS_PER_DAY: u32 = 4;

const P_DEAD: u64 = purpose("capacity-dead");
const P_USUAL: u64 = purpose("capacity-usual");
const P_EPISODE: u64 = purpose("capacity-episode");
const P_LENGTH: u64 = purpose("capacity-length");
const P_LEFT: u64 = purpose("capacity-left");
const P_TRACE: u64 = purpose("capacity-trace");
const P_BEAT: u64 = purpose("capacity-beat");
const P_STORM: u64 = purpose("capacity-storm");

impl Market {
    /// In which of the `BEATS` parts of a step the pool's capacity may change.
    #[must_use]
    pub fn beat(&self, pool: PoolId) -> i64 {
        signed(scale(draw(self.seed, P_BEAT, u64::from(pool.0), 0), unsigned(BEATS)))
    }

    /// How many Spot instances of the organization the pool holds at `at`.
    #[must_use]
    pub fn capacity_at(&self, pool: PoolId, at: Timestamp) -> u32 {
        let usual = self.usual(pool);
        if usual == 0 || !self.is_offered(pool) {
            return 0;
        }
        let offset = self.beat(pool) * (STEP / BEATS);
        let since = self.since_start(at).0 - offset;
        let step = Timestamp(self.start.0 + since.div_euclid(STEP) * STEP + offset);
        if step.0 >= self.quiet_from.load(Ordering::Relaxed) {
            return usual;
        }
        let traced = self.shape.traces.left(self.since_start(step), draw(self.seed, P_TRACE, u64::from(pool.0), 0));
        let left = self.episode_left(pool, step).min(self.storm_left(pool, step)).min(traced);
        u32::try_from(u64::from(usual) * left / 1000).unwrap_or(usual)
    }

    /// Capacity outside episodes and storms.
    #[must_use]
    pub fn usual(&self, pool: PoolId) -> u32 {
        let key = u64::from(pool.0);
        if scale(draw(self.seed, P_DEAD, key, 0), 1000) < u64::from(self.shape.dead_permille) {
            return 0;
        }
        let small = 20 + scale(draw(self.seed, P_USUAL, key, 0), 101);
        let vcpu = u64::from(self.vcpu[pool.kind().index()]);
        let scaled = small * u64::from(self.shape.capacity_permille) * 16 / (16 + vcpu);
        u32::try_from(scaled / 1000).unwrap_or(u32::MAX)
    }

    /// Thousandths left by episodes.
    fn episode_left(&self, pool: PoolId, at: Timestamp) -> u64 {
        let window = self.since_start(at).0.div_euclid(WINDOW);
        self.left_in_window(pool, at, window).min(self.left_in_window(pool, at, window - 1))
    }

    fn left_in_window(&self, pool: PoolId, at: Timestamp, window: i64) -> u64 {
        let (key, number) = (u64::from(pool.0), window.cast_unsigned());
        let bits = draw(self.seed, P_EPISODE, key, number);
        let chance = u64::from(self.shape.episodes_permille / WINDOWS_PER_DAY);
        if scale(bits, 1000) >= chance {
            return 1000;
        }
        let begin = window * WINDOW + signed(scale(bits.rotate_left(24), unsigned(WINDOW)));
        let (low, high) = (self.shape.episode.low.0, self.shape.episode.high.0.min(WINDOW));
        let width = unsigned(high - low) + 1;
        let length = low + signed(scale(draw(self.seed, P_LENGTH, key, number), width));
        let into = self.since_start(at).0 - begin;
        if into < 0 || into >= length {
            return 1000;
        }
        let (least, most) = self.shape.left_permille;
        let width = u64::from(most.saturating_sub(least)) + 1;
        let left = u64::from(least) + scale(draw(self.seed, P_LEFT, key, number), width);
        // The last third recovers evenly.
        let recovery = length - length / 3;
        if into < recovery {
            return left;
        }
        left + (1000_u64.saturating_sub(left)) * unsigned(into - recovery) / unsigned(length / 3).max(1)
    }

    /// Thousandths left by storms.
    fn storm_left(&self, pool: PoolId, at: Timestamp) -> u64 {
        let storms = (0_u64..).zip(&self.shape.storms);
        storms.map(|(number, storm)| self.left_in_storm(pool, at, number, storm)).min().unwrap_or(1000)
    }

    fn left_in_storm(&self, pool: PoolId, at: Timestamp, number: u64, storm: &StormShape) -> u64 {
        let since = self.since_start(at).0;
        if since < storm.at.0 || since > storm.at.0 + storm.spread.0 + storm.length.0 * 2 {
            return 1000;
        }
        let region = &self.regions[self.zones[usize::from(pool.zone())].region].region;
        if !storm.regions.is_empty() && !storm.regions.contains(region) {
            return 1000;
        }
        let bits = draw(self.seed, P_STORM, u64::from(pool.0), number);
        if scale(bits, 1000) >= u64::from(storm.pools_permille) {
            return 1000;
        }
        let down = storm.at.0 + signed(scale(bits.rotate_left(20), unsigned(storm.spread.0) + 1));
        let up = down + storm.length.0 + signed(scale(bits.rotate_left(40), unsigned(storm.length.0 / 4) + 1));
        if (down..up).contains(&since) { u64::from(storm.left_permille).min(1000) } else { 1000 }
    }
}
