//! What a locked child can't do, tried from inside one.
#![allow(unsafe_code, reason = "tries system calls for which no safe function exists")]

use std::collections::HashMap;
use std::fs::File;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::SystemTime;
use std::{io, ptr};

use libtest_mimic::Trial;
use pagemill_domain::limits::Limits;
use pagemill_recognition::boxed::sandbox::{self, Layer, Sandbox};

use crate::test;

/// Attempts that must be refused, each with the name under which [`attempt`] knows it.
const REFUSED: [&str; 17] = [
    "open a file",
    "create a file",
    "open a folder",
    "see whether a file exists",
    "make a socket",
    "connect over TCP",
    "connect over a Unix socket",
    "start a program",
    "replace itself",
    "fork",
    "start a thread",
    "trace its parent",
    "signal its parent",
    "read its parent's memory",
    "map executable memory",
    "raise its own limits",
    "make a memory file",
];

/// What decoding and reading need.
const ALLOWED: [&str; 4] = ["allocate", "hash", "tell the time", "panic and catch"];

pub(crate) fn tests() -> Vec<Trial> {
    let refused = REFUSED.map(|name| (name, "refused"));
    let allowed = ALLOWED.map(|name| (name, "done"));
    let attempts = refused.into_iter().chain(allowed);
    attempts
        .map(|(name, expected)| {
            let title =
                format!("locked_child_{}_{}", name.replace([' ', '\''], "_").to_lowercase(), expected);
            Trial::test(title, move || {
                assert_eq!(outcome(name), expected);
                Ok(())
            })
        })
        .chain([test("landlock_alone_keeps_files_shut", landlock_alone_keeps_files_shut)])
        .collect()
}

/// What an attempt gives in a child that is locked with all layers.
fn outcome(name: &str) -> String {
    outcome_under("all", name)
}

fn outcome_under(layers: &str, name: &str) -> String {
    let output = Command::new("/proc/self/exe")
        .args(["role:locked", layers, name])
        .stdin(Stdio::null())
        // A pipe, as the worker gives its children: a locked process may not make a file grow.
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Each layer alone refuses what it is there for: none hides behind another.
fn landlock_alone_keeps_files_shut() {
    for name in ["open a file", "create a file", "open a folder"] {
        assert_eq!(outcome_under("landlock", name), "Permission denied (os error 13)", "{name}");
        assert_eq!(outcome_under("seccomp", name), "refused", "{name}");
    }
}

/// Locks this process, tries, and prints `refused` (with "not permitted", as the kernel says it) or `done`.
pub(crate) fn attempt(layers: &str, name: &str) {
    let limits = Limits::default();
    let parent = std::os::unix::process::parent_id();
    match Layer::ALL.into_iter().find(|layer| layer.name() == layers) {
        Some(Layer::Landlock) => {
            Layer::NoNewPrivileges.put_on(&limits).unwrap();
            Layer::Landlock.put_on(&limits).unwrap();
        }
        Some(layer) => layer.put_on(&limits).unwrap(),
        None => assert_eq!(sandbox::lock(&limits), Sandbox::default()),
    }
    match try_it(name, parent.cast_signed()) {
        Ok(()) => print!("done"),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => print!("refused"),
        Err(error) => print!("{error}"),
    }
}

fn try_it(name: &str, parent: libc::pid_t) -> io::Result<()> {
    match name {
        "open a file" => File::open("/etc/hostname").map(drop),
        "create a file" => File::create(std::env::temp_dir().join("pagemill-box-test")).map(drop),
        "open a folder" => std::fs::read_dir("/").map(drop),
        "see whether a file exists" => std::fs::metadata("/etc/hostname").map(drop),
        "make a socket" => UdpSocket::bind("127.0.0.1:0").map(drop),
        "connect over TCP" => TcpStream::connect("127.0.0.1:9").map(drop),
        "connect over a Unix socket" => UnixStream::connect("/nonexistent").map(drop),
        "start a program" => Command::new("/bin/true").status().map(drop),
        "start a thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        name if ALLOWED.contains(&name) => {
            work(name);
            Ok(())
        }
        name => try_call(name, parent),
    }
}

/// Works like a decoder; a refusal would panic or abort.
fn work(name: &str) {
    match name {
        "allocate" => assert_eq!(std::hint::black_box(vec![1_u8; 64 << 20]).len(), 64 << 20),
        "hash" => assert_eq!(HashMap::from([(1, 2)]).get(&1), Some(&2)),
        "tell the time" => assert!(SystemTime::now() > SystemTime::UNIX_EPOCH),
        _ => assert!(std::panic::catch_unwind(|| panic!("caught")).is_err()),
    }
}

/// Attempts for which the standard library has no function.
fn try_call(name: &str, parent: libc::pid_t) -> io::Result<()> {
    let none = ptr::null::<libc::c_void>();
    let one = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    let program = c"/bin/true".as_ptr();
    let arguments = [program, ptr::null()];
    // SAFETY: each call gets valid or null pointers, keeps none of them, and in a locked process does nothing.
    let code = unsafe {
        match name {
            "replace itself" => libc::c_long::from(libc::execv(program, arguments.as_ptr())),
            "fork" => libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0),
            "trace its parent" => libc::ptrace(libc::PTRACE_SEIZE, parent, 0, 0),
            "signal its parent" => libc::c_long::from(libc::kill(parent, 0)),
            "read its parent's memory" => {
                libc::process_vm_readv(parent, ptr::null(), 0, ptr::null(), 0, 0) as i64
            }
            "map executable memory" => {
                let (protection, flags) =
                    (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                libc::mmap(none.cast_mut(), 4096, protection, flags, -1, 0) as i64
            }
            "raise its own limits" => libc::c_long::from(libc::setrlimit(libc::RLIMIT_AS, &raw const one)),
            "make a memory file" => libc::c_long::from(libc::memfd_create(c"x".as_ptr(), 0)),
            name => panic!("no attempt {name}"),
        }
    };
    if code == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
