//! How many pages make a shard.

/// Pages of a shard: about `target_seconds` of work at the measured pace, at least one, at most `pages_max`.
#[must_use]
pub fn pages_per_shard(page_seconds: f64, target_seconds: f64, pages_max: u32) -> u32 {
    let pages = (target_seconds / page_seconds.max(0.001)).floor();
    pages.clamp(1.0, f64::from(pages_max.max(1))) as u32
}

/// Pages of a shard when `waiting` pages are left for a window of so many shards: the last pages of a job are spread
/// thin, over twice the window, so that all slots end at about the same time.
#[must_use]
pub fn pages_per_last_shard(waiting: u64, window_shards: usize, pages_per_shard: u32) -> u32 {
    let thin = waiting.div_ceil(2 * window_shards.max(1) as u64);
    u32::try_from(thin).unwrap_or(u32::MAX).clamp(1, pages_per_shard.max(1))
}

/// Wall seconds a page takes, as measured: an exponential moving average, so that a change of pages or machines shows
/// within some tens of shards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    page_seconds: f64,
}

/// Weight of the newest shard in [`Pace`].
const NEWEST_WEIGHT: f64 = 0.2;

impl Default for Pace {
    /// One second a page: what an unmeasured engine is taken for, so that the first shards are short.
    fn default() -> Self {
        Self { page_seconds: 1.0 }
    }
}

impl Pace {
    /// Takes in a shard of `pages` that took `wall_ms` in one slot.
    pub fn observe(&mut self, pages: u32, wall_ms: u64) {
        if pages > 0 {
            let newest = wall_ms as f64 / 1000.0 / f64::from(pages);
            self.page_seconds += (newest - self.page_seconds) * NEWEST_WEIGHT;
        }
    }

    /// Seconds a page in one slot.
    #[must_use]
    pub const fn page_seconds(self) -> f64 {
        self.page_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_about_its_target_and_never_empty() {
        assert_eq!(pages_per_shard(1.0, 20.0, 64), 20);
        assert_eq!(pages_per_shard(0.05, 20.0, 64), 64);
        assert_eq!(pages_per_shard(90.0, 20.0, 64), 1);
        assert_eq!(pages_per_shard(0.0, 20.0, 0), 1);
    }

    #[test]
    fn the_last_pages_are_spread() {
        assert_eq!(pages_per_last_shard(6, 4, 5), 1);
        assert_eq!(pages_per_last_shard(16, 4, 5), 2);
        assert_eq!(pages_per_last_shard(1_000, 4, 5), 5);
        assert_eq!(pages_per_last_shard(0, 0, 0), 1);
    }

    #[test]
    fn the_pace_follows_what_is_measured() {
        let mut pace = Pace::default();
        for _ in 0..40 {
            pace.observe(10, 500);
        }
        assert!((pace.page_seconds() - 0.05).abs() < 0.01);
        pace.observe(0, 10_000);
        assert!(pace.page_seconds() < 0.07);
    }
}
