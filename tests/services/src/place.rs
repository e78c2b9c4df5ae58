//! Where a service lives: a folder and ports of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// Folders of a test process are named by this and its process id.
const PREFIX: &str = "pagemill-services-";

/// First port that is tried, how many there are, and from one process's start to the next's: below those that the kernel
/// gives to outgoing connections.
const PORT_MIN: u32 = 10_000;
const PORTS: u32 = 20_000;
const PORT_STRIDE: u32 = 97;

/// A folder that is removed when this is dropped. Those of processes that were killed are removed by the next.
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// A new folder for the service of that name.
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        let folder = home.join(format!("{name}-{number}"));
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A path below it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file into it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A service that was just killed may still be letting go; what stays is swept by the next test process.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir(self.folder.parent().unwrap());
    }
}

/// Removes the folders of test processes that are no more.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_orphan =
            name.strip_prefix(PREFIX).is_some_and(|process| !Path::new("/proc").join(process).exists());
        if is_orphan {
            // Another test process may be at it, too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A port of the loopback address that nothing listens on, and that no other call in this process gets.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (PORT_MIN + (std::process::id() * PORT_STRIDE + number) % PORTS) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free from {PORT_MIN} on");
}
