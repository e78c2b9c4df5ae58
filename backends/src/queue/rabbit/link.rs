//! A connection that is always wanted: opened again whenever it is lost.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use lapin::{Connection, Event};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::QueueError;
use super::address::Address;
use super::topology;

/// Longest wait for the broker's answer to one request.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for a connection with its queues declared; the first start of a broker's queues takes seconds.
const OPEN_WAIT: Duration = Duration::from_secs(30);

/// Pauses between two attempts to connect, doubled from the first to the last, and varied by half, so that a thousand
/// workers don't come back at once.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// How often a connection is looked at that reports nothing.
const LOOK: Duration = Duration::from_secs(1);

/// What a fresh connection is used for.
pub(super) trait Role: Send + Sync + Sized + 'static {
    /// How the broker's management page shows it.
    const NAME: &'static str;

    /// Opens the channels that it begins with.
    fn begin(connection: Arc<Connection>) -> impl Future<Output = lapin::Result<Self>> + Send;

    fn connection(&self) -> &Connection;

    /// Whether it can still be used.
    fn is_well(&self) -> bool {
        self.connection().status().connected()
    }
}

/// A connection that is always wanted.
pub(super) struct Link<R> {
    state: watch::Receiver<State<R>>,
    suspicion: Arc<Notify>,
    _supervised: DropGuard,
}

enum State<R> {
    Up(Arc<R>),
    /// The broker reads no more from this connection: it is short of disk or memory.
    Blocked(Arc<R>, String),
    Down(QueueError),
}

impl<R: Role> Link<R> {
    /// Connects and keeps connected until this is dropped. Only what waiting can't mend is an error.
    pub(super) async fn keep(address: Address) -> Result<Self, QueueError> {
        let first = open::<R>(&address).await;
        let state = match &first {
            Ok(opened) => State::Up(Arc::clone(&opened.role)),
            Err(error @ QueueError::Unavailable { .. }) => {
                tracing::warn!(%error, role = R::NAME, "the broker can't be reached yet");
                State::Down(error.clone())
            }
            Err(error) => return Err(error.clone()),
        };
        let (sender, state) = watch::channel(state);
        let supervisor = Supervisor { address, state: sender, suspicion: Arc::default() };
        let suspicion = Arc::clone(&supervisor.suspicion);
        let end = CancellationToken::new();
        tokio::spawn(end.clone().run_until_cancelled_owned(supervisor.run(first.ok())));
        Ok(Self { state, suspicion, _supervised: end.drop_guard() })
    }

    /// What publishers use: the connection, if the broker reads from it now.
    pub(super) fn ready(&self) -> Result<Arc<R>, QueueError> {
        match &*self.state.borrow() {
            State::Up(role) => Ok(Arc::clone(role)),
            State::Blocked(_, why) => Err(QueueError::Full { action: "publish", why: why.clone() }),
            State::Down(error) => Err(error.clone()),
        }
    }

    /// Waits until the connection is up. Only queues that have become others are an error: a password may be mended.
    pub(super) async fn up(&self) -> Result<Arc<R>, QueueError> {
        let mut state = self.state.clone();
        loop {
            match &*state.borrow_and_update() {
                State::Up(role) | State::Blocked(role, _) => return Ok(Arc::clone(role)),
                State::Down(error @ QueueError::Mismatch { .. }) => return Err(error.clone()),
                State::Down(_) => {}
            }
            state.changed().await.map_err(|_| QueueError::Closed)?;
        }
    }

    /// Waits until `role` is not ready any more, and tells why.
    pub(super) async fn failed(&self, role: &Arc<R>) -> QueueError {
        let mut state = self.state.clone();
        loop {
            match &*state.borrow_and_update() {
                State::Up(current) if Arc::ptr_eq(current, role) => {}
                State::Up(_) => {
                    let why = "the connection was lost".to_owned();
                    return QueueError::Unavailable { action: "publish", why };
                }
                State::Blocked(_, why) => return QueueError::Full { action: "publish", why: why.clone() },
                State::Down(error) => return error.clone(),
            }
            if state.changed().await.is_err() {
                return QueueError::Closed;
            }
        }
    }

    /// Tells that an answer did not come: the connection is given up and opened anew.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }
}

struct Opened<R> {
    role: Arc<R>,
    events: BoxStream<'static, Event>,
}

async fn open<R: Role>(address: &Address) -> Result<Opened<R>, QueueError> {
    const ACTION: &str = "connect";
    let opening = async {
        let explain = |error| topology::explain(ACTION, &error);
        let connection = Arc::new(address.connect(R::NAME).await.map_err(explain)?);
        let events = connection.events_listener().boxed();
        topology::declare(&connection).await?;
        let role = Arc::new(R::begin(connection).await.map_err(explain)?);
        Ok(Opened { role, events })
    };
    let late = || QueueError::Unavailable { action: ACTION, why: format!("no answer in {OPEN_WAIT:?}") };
    timeout(OPEN_WAIT, opening).await.unwrap_or_else(|_| Err(late()))
}

struct Supervisor<R> {
    address: Address,
    state: watch::Sender<State<R>>,
    suspicion: Arc<Notify>,
}

impl<R: Role> Supervisor<R> {
    async fn run(self, first: Option<Opened<R>>) {
        let mut pause = PAUSE_MIN;
        let mut next = first;
        loop {
            if let Some(opened) = next {
                let since = Instant::now();
                let error = self.attend(opened).await;
                tracing::warn!(%error, role = R::NAME, "the broker's connection is lost");
                self.state.send_replace(State::Down(error));
                if since.elapsed() > PAUSE_MAX {
                    pause = PAUSE_MIN;
                }
            }
            tokio::time::sleep(varied(pause)).await;
            pause = (pause * 2).min(PAUSE_MAX);
            next = match open(&self.address).await {
                Ok(opened) => {
                    tracing::info!(role = R::NAME, "connected to the broker");
                    Some(opened)
                }
                Err(error) => {
                    tracing::debug!(%error, role = R::NAME, "the broker can't be reached");
                    self.state.send_replace(State::Down(error));
                    None
                }
            };
        }
    }

    /// Watches a connection to its end, and tells what that was.
    async fn attend(&self, opened: Opened<R>) -> QueueError {
        let Opened { role, mut events } = opened;
        self.state.send_replace(State::Up(Arc::clone(&role)));
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => {
                        tracing::warn!(why, "the broker takes no messages");
                        self.state.send_replace(State::Blocked(Arc::clone(&role), why));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!("the broker takes messages again");
                        self.state.send_replace(State::Up(Arc::clone(&role)));
                    }
                    Some(Event::Error(error)) => return topology::explain("stay connected", &error),
                    Some(_) => {}
                    None => return lost("the connection was closed"),
                },
                () = self.suspicion.notified() => {
                    close(&role);
                    return lost("no answer in time");
                }
                _ = looks.tick() => if !role.is_well() {
                    return lost("a channel was closed");
                },
            }
        }
    }
}

fn lost(why: &str) -> QueueError {
    QueueError::Unavailable { action: "stay connected", why: why.to_owned() }
}

/// Says farewell without waiting for it: this connection does not answer.
fn close<R: Role>(role: &Arc<R>) {
    let role = Arc::clone(role);
    tokio::spawn(timeout(ANSWER_WAIT, async move {
        role.connection().close(200, "no answer in time".into()).await
    }));
}

/// Between half of it and one and a half.
fn varied(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause / 2 + pause.mul_f64(random as f64 / u64::MAX as f64)
}
