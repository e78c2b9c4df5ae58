//! How a worker stands with its coordinator: what it may do, and what it has in hand.
//!
//! Slots and session meet here: a slot says what it takes in hand, the session names it in its beats and says what
//! became worthless.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pagemill_domain::ids::ShardAttempt;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long a delivery waits to be named to the coordinator. Without one in reach the work goes on: it may be done
/// twice, it never counts twice.
const NAMING_WAIT: Duration = Duration::from_secs(1);

/// What a worker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Nothing: no coordinator has accepted it yet.
    Wait,
    /// Take work.
    Serve,
    /// Take none until told.
    Cordon,
    /// Take none, finish, end.
    Drain,
}

impl Duty {
    /// The name for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wait => "waiting for a coordinator",
            Self::Serve => "serving",
            Self::Cordon => "cordoned",
            Self::Drain => "draining",
        }
    }
}

/// How a worker stands.
#[derive(Debug)]
pub(crate) struct Standing {
    slots: usize,
    duty: watch::Sender<Duty>,
    in_hand: Mutex<InHand>,
    /// There is something in hand that no beat has named.
    unnamed: Notify,
    /// The number of the last beat that was answered; `None` where no coordinator asks.
    answered: Option<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct InHand {
    shards: HashMap<ShardAttempt, CancellationToken>,
    /// Beats that were made so far.
    beats: u64,
}

impl Standing {
    /// A worker of a process of its own kind: it serves, and nobody asks what it has in hand.
    pub(crate) fn alone(slots: usize) -> Arc<Self> {
        Arc::new(Self::new(slots, Duty::Serve, None))
    }

    /// A worker that no coordinator has accepted yet.
    pub(crate) fn applicant(slots: usize) -> Arc<Self> {
        Arc::new(Self::new(slots, Duty::Wait, Some(watch::Sender::new(0))))
    }

    fn new(slots: usize, duty: Duty, answered: Option<watch::Sender<u64>>) -> Self {
        let duty = watch::Sender::new(duty);
        Self { slots, duty, in_hand: Mutex::default(), unnamed: Notify::new(), answered }
    }

    /// What the worker may do at present.
    pub(crate) fn duty(&self) -> Duty {
        *self.duty.borrow()
    }

    /// Changes what the worker may do; from draining there is no way back.
    pub(crate) fn set_duty(&self, duty: Duty) {
        self.duty.send_if_modified(|current| {
            let changes = *current != duty && *current != Duty::Drain;
            if changes {
                tracing::info!(from = current.name(), to = duty.name(), "duty changed");
                *current = duty;
            }
            changes
        });
    }

    /// Waits until work may be taken; `false` where none will be.
    pub(crate) async fn may_take(&self) -> bool {
        let mut duty = self.duty.subscribe();
        let decided = duty.wait_for(|duty| matches!(duty, Duty::Serve | Duty::Drain)).await;
        decided.is_ok_and(|duty| *duty == Duty::Serve)
    }

    /// Waits until no work may be taken.
    pub(crate) async fn may_take_no_more(&self) {
        // It is an error only once this is gone.
        let _ = self.duty.subscribe().wait_for(|duty| *duty != Duty::Serve).await;
    }

    /// Slots, and how many of them have a shard in hand.
    pub(crate) fn slots(&self) -> (usize, usize) {
        (self.slots, self.in_hand().shards.len())
    }

    /// Takes a shard in hand; `None` where this dispatch is in hand already.
    pub(crate) fn take(self: &Arc<Self>, dispatch: ShardAttempt) -> Option<Hold> {
        let mut in_hand = self.in_hand();
        if in_hand.shards.contains_key(&dispatch) {
            return None;
        }
        let dropped = CancellationToken::new();
        in_hand.shards.insert(dispatch, dropped.clone());
        Some(Hold { standing: self.clone(), dispatch, dropped })
    }

    /// Waits until a beat has named all that is in hand now and was answered, but not for long.
    pub(crate) async fn named(&self) {
        let Some(answered) = &self.answered else { return };
        let before = self.in_hand().beats;
        let mut answered = answered.subscribe();
        self.unnamed.notify_one();
        if tokio::time::timeout(NAMING_WAIT, answered.wait_for(|&beat| beat > before)).await.is_err() {
            tracing::warn!("no coordinator answers; the work goes on");
        }
    }

    /// Returns when something is in hand that no beat has named.
    pub(crate) async fn unnamed(&self) {
        self.unnamed.notified().await;
    }

    /// The number of the next beat, and all that it names.
    pub(crate) fn next_beat(&self) -> (u64, Vec<ShardAttempt>) {
        let mut in_hand = self.in_hand();
        in_hand.beats += 1;
        (in_hand.beats, in_hand.shards.keys().copied().collect())
    }

    /// A beat was answered: what it dropped is no longer to be worked on.
    pub(crate) fn answered(&self, beat: u64, dropped: &[ShardAttempt]) {
        let in_hand = self.in_hand();
        for dispatch in dropped {
            if let Some(token) = in_hand.shards.get(dispatch) {
                token.cancel();
            }
        }
        drop(in_hand);
        if let Some(answered) = &self.answered {
            answered.send_if_modified(|last| std::mem::replace(last, beat.max(*last)) < beat);
        }
    }

    fn in_hand(&self) -> MutexGuard<'_, InHand> {
        // No code that holds the lock can panic half way.
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shard in hand. Beats name it until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    standing: Arc<Standing>,
    dispatch: ShardAttempt,
    dropped: CancellationToken,
}

impl Hold {
    /// Cancelled when the coordinator says that the shard is no longer to be worked on.
    pub(crate) const fn dropped(&self) -> &CancellationToken {
        &self.dropped
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.standing.in_hand().shards.remove(&self.dispatch);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use pagemill_domain::ids::{Attempt, ShardId};

    use super::*;

    fn dispatch(shard: i64) -> ShardAttempt {
        ShardAttempt { shard: ShardId(shard), attempt: Attempt(1) }
    }

    #[tokio::test]
    async fn a_delivery_is_named_before_the_work_begins() {
        let standing = Standing::applicant(2);
        let hold = standing.take(dispatch(1)).unwrap();
        let coordinator = standing.clone();
        tokio::spawn(async move {
            coordinator.unnamed().await;
            let (beat, named) = coordinator.next_beat();
            assert_eq!(named, [dispatch(1)]);
            coordinator.answered(beat, &named);
        });
        let start = Instant::now();
        standing.named().await;
        assert!(start.elapsed() < NAMING_WAIT);
        assert!(hold.dropped().is_cancelled());
    }

    #[tokio::test]
    async fn an_answer_to_an_older_beat_names_nothing_new() {
        let standing = Standing::applicant(2);
        let (early, _) = standing.next_beat();
        let _hold = standing.take(dispatch(1)).unwrap();
        standing.answered(early, &[]);
        let start = Instant::now();
        standing.named().await;
        assert!(start.elapsed() >= NAMING_WAIT);
    }

    #[tokio::test]
    async fn a_dispatch_is_in_hand_once() {
        let standing = Standing::alone(2);
        let hold = standing.take(dispatch(1));
        assert!(standing.take(dispatch(1)).is_none());
        assert_eq!(standing.slots(), (2, 1));
        drop(hold);
        assert!(standing.take(dispatch(1)).is_some());
        standing.named().await;
    }

    #[tokio::test]
    async fn nobody_takes_work_before_a_coordinator_agrees_or_after_a_drain() {
        let standing = Standing::applicant(1);
        let waiting = tokio::spawn({
            let standing = standing.clone();
            async move { standing.may_take().await }
        });
        standing.set_duty(Duty::Serve);
        assert!(waiting.await.unwrap());
        standing.set_duty(Duty::Drain);
        standing.set_duty(Duty::Serve);
        assert!(!standing.may_take().await);
    }
}
