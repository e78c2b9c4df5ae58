//! A program that runs beside a test, held by its process id and dead when the test is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Lines of a log that an error shows.
const LOG_TAIL_LINES: usize = 25;

/// A started program. It is killed when this is dropped, and by the kernel when this process ends.
pub struct Daemon {
    name: String,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Daemon {
    /// Starts `command`, with all that it says appended to the file `log`.
    pub fn start(name: &str, log: &Path, command: &Command) -> Self {
        let daemon = Self { name: name.to_owned(), log: log.to_owned(), child: Mutex::new(None) };
        daemon.start_again(command);
        daemon
    }

    /// Starts the next incarnation; the last one has to be dead.
    pub fn start_again(&self, command: &Command) {
        let mut child = self.child();
        assert!(child.is_none(), "{} runs already", self.name);
        *child =
            Some(spawn(command, &self.log).unwrap_or_else(|error| panic!("start {}: {error}", self.name)));
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child().as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id()
    }

    /// Whether it runs; one that has ended is forgotten.
    pub fn is_running(&self) -> bool {
        let mut child = self.child();
        let ended = child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
        if ended {
            *child = None;
        }
        !ended
    }

    /// SIGKILL, and waits for its end. One that has ended is left alone.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM, and waits for its end; panics after `patience`.
    pub fn terminate(&self, patience: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child().take().unwrap();
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{} did not end within {patience:?}; its log:\n{}", self.name, self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGSTOP: it stands still and knows nothing of it.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// All that it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its last lines.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// Waits until `ready` says yes; panics with its log's tail when it ends before or isn't ready in `patience`.
    pub fn wait_ready(&self, patience: Duration, ready: impl FnMut() -> bool) {
        if !self.becomes_ready(patience, ready) {
            let state = if self.is_running() { "not ready" } else { "ended" };
            panic!("{} is {state} after {patience:?} at most; its log:\n{}", self.name, self.log_tail());
        }
    }

    /// Whether `ready` says yes within `patience` and before it ends.
    pub(crate) fn becomes_ready(&self, patience: Duration, mut ready: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.is_running() {
            if ready() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `done` says yes; panics with `what` after `patience`.
pub fn wait_until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A program to start, where its output goes, and where to send the child.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts `command` under `setpriv`, which becomes it: the kernel kills it when the thread that started it ends. That
/// is a thread of its own, because those of tests end before their process does.
fn spawn(command: &Command, log: &Path) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, child) in orders {
                child.send(command.spawn()).unwrap();
            }
        });
        Mutex::new(sender)
    });
    let log = File::options().create(true).append(true).open(log)?;
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bound.current_dir(folder);
    }
    bound.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let (sender, child) = mpsc::channel();
    spawner.lock().unwrap().send((bound, sender)).unwrap();
    child.recv().unwrap()
}
