//! What stands before several coordinators: one address, connections passed on to whichever takes them.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longest wait for a backend to take a connection.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);

/// Passes connections on to backends in turn; those that take none are skipped.
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    turn: AtomicUsize,
    is_cut: AtomicBool,
    clients: Mutex<Vec<TcpStream>>,
}

impl Balancer {
    /// Listens on `address` (port 0: any that is free) until the test ends.
    pub fn start(address: &str, backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let passing = shared.clone();
        thread::spawn(move || {
            let backends = Arc::new(backends);
            for client in listener.incoming().flatten() {
                if passing.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                passing.clients.lock().unwrap().extend(client.try_clone());
                let (backends, turn) = (backends.clone(), passing.turn.fetch_add(1, Ordering::Relaxed));
                thread::spawn(move || pass_on(&client, &backends, turn));
            }
        });
        Self { address, shared }
    }

    /// Closes all connections and takes no more.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        for client in self.shared.clients.lock().unwrap().drain(..) {
            // One that is closed already needs no closing.
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Copies both ways until either side ends. Without a backend the client sees its connection closed.
fn pass_on(client: &TcpStream, backends: &[SocketAddr], turn: usize) {
    let in_turn = (0..backends.len()).map(|number| backends[(turn + number) % backends.len()]);
    let connected =
        in_turn.into_iter().find_map(|backend| TcpStream::connect_timeout(&backend, CONNECT_PATIENCE).ok());
    let Some(backend) = connected else { return };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, &backend));
        copy(&backend, client);
    });
}

/// Copies until `from` ends, then lets neither side wait for more.
pub(crate) fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // A reset is as good an end as any.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
