//! Token buckets in virtual time, in thousandths of a token.

use spothub_core::time::Timestamp;

use crate::shape::Bucket;

/// What is left in a bucket.
pub(super) struct Tokens {
    milli: i64,
    at: Timestamp,
}

impl Tokens {
    pub(super) fn full(bucket: Bucket, now: Timestamp) -> Self {
        Self { milli: i64::from(bucket.size) * 1000, at: now }
    }

    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, bucket: Bucket, now: Timestamp) -> bool {
        let refill = now.since(self.at).0.saturating_mul(i64::from(bucket.per_second));
        self.milli = self.milli.saturating_add(refill).min(i64::from(bucket.size) * 1000);
        self.at = now;
        let enough = self.milli >= 1000;
        if enough {
            self.milli -= 1000;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let bucket = Bucket::new(2, 4);
        let mut tokens = Tokens::full(bucket, Timestamp(0));
        assert!(tokens.take(bucket, Timestamp(0)) && tokens.take(bucket, Timestamp(0)));
        assert!(!tokens.take(bucket, Timestamp(100)));
        assert!(tokens.take(bucket, Timestamp(250)));
        assert!(!tokens.take(bucket, Timestamp(250)));
        assert!(tokens.take(bucket, Timestamp(100_000)) && tokens.take(bucket, Timestamp(100_000)));
        assert!(!tokens.take(bucket, Timestamp(100_000)));
    }
}
