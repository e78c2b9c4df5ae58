//! What stands between a broker and its clients and changes what they publish: AMQP 0-9-1, frame by frame.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::balancer::copy;

/// Bytes with which a client begins: protocol and version.
const GREETING_BYTES: usize = 8;

/// Bytes before a frame's content: its type, channel and length.
const HEAD_BYTES: usize = 7;

/// Type of the frames that hold a message's content.
const BODY: u8 = 3;

/// Changes the content of a message, of which the length must stay; returns whether it did.
pub type Change = fn(&mut [u8]) -> bool;

/// Passes a broker's connections on.
pub struct FrameRelay {
    address: SocketAddr,
    changed: Arc<AtomicU64>,
}

impl FrameRelay {
    /// Stands before `broker` until the test ends.
    pub fn start(broker: SocketAddr, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let changed = Arc::<AtomicU64>::default();
        let counted = changed.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = counted.clone();
                thread::spawn(move || pass_on(&client, broker, change, &counted));
            }
        });
        Self { address, changed }
    }

    /// Where clients find it.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Messages that it changed so far.
    pub fn changed(&self) -> u64 {
        self.changed.load(Ordering::Relaxed)
    }
}

/// Without a broker the client sees its connection closed.
fn pass_on(client: &TcpStream, broker: SocketAddr, change: Change, changed: &AtomicU64) {
    let Ok(broker) = TcpStream::connect(broker) else { return };
    thread::scope(|scope| {
        scope.spawn(|| copy(&broker, client));
        // A connection that ends in the middle of a frame is as good an end as any.
        let _ = copy_frames(client, &broker, change, changed);
        copy(client, &broker);
    });
}

fn copy_frames(
    mut from: &TcpStream,
    mut to: &TcpStream,
    change: Change,
    changed: &AtomicU64,
) -> io::Result<()> {
    let mut frame = vec![0; GREETING_BYTES];
    loop {
        from.read_exact(&mut frame)?;
        to.write_all(&frame)?;
        frame.resize(HEAD_BYTES, 0);
        from.read_exact(&mut frame)?;
        let length = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
        to.write_all(&frame)?;
        let is_body = frame[0] == BODY;
        frame.resize(length, 0);
        from.read_exact(&mut frame)?;
        if is_body && change(&mut frame) {
            changed.fetch_add(1, Ordering::Relaxed);
        }
        to.write_all(&frame)?;
        // The byte that ends every frame.
        frame.resize(1, 0);
    }
}
