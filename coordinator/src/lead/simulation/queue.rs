//! A broker that fails, delays, duplicates and forgets as the dice say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use pagemill_backends::queue::{Arrival, Delivery, Lanes, Queue, QueueError, Receipt};
use pagemill_domain::ids::ShardAttempt;
use pagemill_domain::outcome::Outcome;
use pagemill_domain::shard::Shard;

use super::dice::Dice;
use super::witness::{SharedWitness, Witness, dispatch_of};

/// The broker. What it holds survives leaders and workers, until it is wiped.
#[derive(Clone)]
pub(super) struct SimulatedQueue {
    state: Arc<Mutex<State>>,
}

struct State {
    shards: VecDeque<Shard>,
    outcomes: VecDeque<Outcome>,
    undeliverable: VecDeque<ShardAttempt>,
    dice: Dice,
    failures_percent: u64,
    witness: SharedWitness,
}

impl SimulatedQueue {
    pub(super) fn new(dice: Dice, failures_percent: u64, witness: SharedWitness) -> Self {
        let state = State {
            shards: VecDeque::new(),
            outcomes: VecDeque::new(),
            undeliverable: VecDeque::new(),
            dice,
            failures_percent,
            witness,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Nothing fails any more.
    pub(super) fn calm_down(&self) {
        self.state.lock().unwrap().failures_percent = 0;
    }

    /// Everything that it held is gone.
    pub(super) fn wipe(&self) {
        let mut state = self.state.lock().unwrap();
        state.shards.clear();
        state.outcomes.clear();
        state.undeliverable.clear();
    }

    /// Gives up delivering a shard.
    pub(super) fn give_up(&self) {
        let mut state = self.state.lock().unwrap();
        if let Some(shard) = state.shards.pop_front() {
            state.undeliverable.push_back(shard.dispatch());
        }
    }

    /// A shard for a worker, not always the oldest.
    pub(super) fn take_shard(&self) -> Option<Delivery<Shard>> {
        let mut state = self.state.lock().unwrap();
        let waiting = state.shards.len() as u64;
        if waiting == 0 {
            return None;
        }
        let place = state.dice.roll(waiting.min(3)) as usize;
        let shard = state.shards.remove(place)?;
        let receipt = Unacknowledged {
            message: Some(shard.clone()),
            state: self.state.clone(),
            back: |state| &mut state.shards,
            see: |_, _| {},
        };
        Some(Delivery::new(shard, Box::new(receipt)))
    }

    /// Whether anything has come back.
    pub(super) fn holds_arrivals(&self) -> bool {
        let state = self.state.lock().unwrap();
        !(state.outcomes.is_empty() && state.undeliverable.is_empty())
    }

    /// What has come back so far.
    pub(super) fn take_arrivals(&self) -> Vec<Arrival> {
        let mut state = self.state.lock().unwrap();
        let mut arrivals = Vec::new();
        let batch = 1 + state.dice.roll(5) as usize;
        while arrivals.len() < batch {
            let Some(outcome) = state.outcomes.pop_front() else { break };
            let receipt = Unacknowledged {
                message: Some(outcome.clone()),
                state: self.state.clone(),
                back: |state| &mut state.outcomes,
                see: |witness, outcome| witness.acknowledged(dispatch_of(outcome)),
            };
            arrivals.push(Arrival::Outcome(Delivery::new(outcome, Box::new(receipt))));
        }
        if let Some(dispatch) = state.undeliverable.pop_front() {
            let receipt = Unacknowledged {
                message: Some(dispatch),
                state: self.state.clone(),
                back: |state| &mut state.undeliverable,
                see: |witness, dispatch| witness.acknowledged(*dispatch),
            };
            arrivals.push(Arrival::Undeliverable(Delivery::new(dispatch, Box::new(receipt))));
        }
        arrivals
    }

    fn publish<M: Clone>(
        &self,
        message: &M,
        queue: fn(&mut State) -> &mut VecDeque<M>,
    ) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        let failures = state.failures_percent;
        let unavailable = || QueueError::Unavailable { action: "publish", why: "simulated".into() };
        if state.dice.percent(failures) {
            return Err(unavailable());
        }
        let copies = if state.dice.percent(failures) { 2 } else { 1 };
        for _ in 0..copies {
            queue(&mut state).push_back(message.clone());
        }
        // The message is there, its confirmation is lost.
        if state.dice.percent(failures) { Err(unavailable()) } else { Ok(()) }
    }
}

#[async_trait]
impl Queue for SimulatedQueue {
    async fn publish_shard(&self, shard: &Shard) -> Result<(), QueueError> {
        self.state.lock().unwrap().witness.lock().unwrap().published(shard.dispatch());
        self.publish(shard, |state| &mut state.shards)
    }

    async fn next_shard(&self, _lanes: Lanes) -> Result<Delivery<Shard>, QueueError> {
        unreachable!("the schedule takes shards itself")
    }

    async fn withdraw_shards(&self) -> Result<Vec<Shard>, QueueError> {
        Ok(Vec::new())
    }

    async fn publish_outcome(&self, outcome: &Outcome) -> Result<(), QueueError> {
        self.publish(outcome, |state| &mut state.outcomes)
    }

    async fn next_arrivals(&self, _arrivals_max: usize) -> Result<Vec<Arrival>, QueueError> {
        unreachable!("the schedule takes arrivals itself")
    }

    async fn stop_arrivals(&self) {}

    fn unreadable_total(&self) -> u64 {
        0
    }

    fn is_up(&self) -> bool {
        true
    }
}

/// Dropped without an acknowledgement, the message goes back.
struct Unacknowledged<M> {
    message: Option<M>,
    state: Arc<Mutex<State>>,
    back: fn(&mut State) -> &mut VecDeque<M>,
    /// What the witness sees when it is acknowledged.
    see: fn(&Witness, &M),
}

#[async_trait]
impl<M: Send> Receipt for Unacknowledged<M> {
    async fn acknowledge(mut self: Box<Self>) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        if let Some(message) = &self.message {
            (self.see)(&state.witness.lock().unwrap(), message);
        }
        let failures = state.failures_percent;
        if !state.dice.percent(failures) {
            drop(state);
            self.message = None;
        }
        Ok(())
    }
}

impl<M> Drop for Unacknowledged<M> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            // A witness that panicked must be heard.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (self.back)(&mut state).push_back(message);
        }
    }
}
