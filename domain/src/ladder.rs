//! The ladder: what becomes of a page that fails.
//!
//! Faults climb it: retry → alone → degraded → dead. Losses do not: they are retried as they were, until a generous
//! `losses_max` stops a page that takes its workers down with it.

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// How a page that failed goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Again, in company.
    Retry,
    /// Again, in a shard of its own.
    Alone,
    /// Again, alone and with the degraded recipe; the result says so.
    Degraded,
    /// Given up.
    Dead,
}

/// The next step of a page with so many faults and losses, the newest included.
#[must_use]
pub const fn next_step(faults: u32, losses: u32, limits: &Limits) -> Step {
    if faults >= limits.faults_max || losses >= limits.losses_max {
        return Step::Dead;
    }
    match faults {
        // A page that often lost its worker goes alone, so that it stops losing its neighbours' work.
        0 if losses >= 3 => Step::Alone,
        0 | 1 => Step::Retry,
        // The last try before the end is the degraded one, however short the ladder is.
        _ if faults + 1 >= limits.faults_max => Step::Degraded,
        _ => Step::Alone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_climb_to_the_end() {
        let limits = Limits { faults_max: 4, ..Limits::default() };
        let steps: Vec<Step> = (1..=4).map(|faults| next_step(faults, 0, &limits)).collect();
        assert_eq!(steps, [Step::Retry, Step::Alone, Step::Degraded, Step::Dead]);
    }

    #[test]
    fn losses_never_degrade() {
        let limits = Limits::default();
        for losses in 1..limits.losses_max {
            assert!(matches!(next_step(0, losses, &limits), Step::Retry | Step::Alone), "{losses}");
        }
        assert_eq!(next_step(0, limits.losses_max, &limits), Step::Dead);
    }
}
