//! A child that misbehaves on page 1 and behaves on every other.
#![allow(unsafe_code, reason = "crashes on purpose")]

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pagemill_domain::geometry::Rect;
use pagemill_domain::page_text::{
    Baseline, Block, BlockKind, Confidence, Content, Line, PageText, Paragraph, Word,
};
use pagemill_recognition::boxed::frame;
use pagemill_recognition::boxed::protocol::{Answer, Failure, PROTOCOL_VERSION, Ready, Request, Setup};
use pagemill_recognition::boxed::sandbox::{self, Layer, MissingLayer, Sandbox};
use pagemill_recognition::reader::StageCpu;

const BYTES_MAX: usize = 1 << 20;

/// Plays a child until the worker closes the socket.
pub(crate) fn play(behaviour: &str) {
    let socket = rustix::stdio::stdin();
    let setup = frame::receive(socket, BYTES_MAX).unwrap().unwrap();
    let setup: Setup = frame::decode(&setup.body).unwrap();
    if behaviour == "memory" {
        assert_eq!(sandbox::lock(&setup.limits).missing(Layer::ResourceLimits), None);
    }
    send(socket, &greeting(behaviour));
    while let Some(request) = frame::receive(socket, BYTES_MAX).unwrap() {
        match frame::decode(&request.body).unwrap() {
            Request::Open { .. } => answer(socket, Answer::Opened),
            Request::Close => answer(socket, Answer::Closed),
            Request::Read { page: 1, .. } => misbehave(socket, behaviour),
            Request::Read { .. } => answer(socket, read("good")),
            other => panic!("unexpected {other:?}"),
        }
    }
}

fn greeting(behaviour: &str) -> Result<Ready, String> {
    let mut sandbox = Sandbox::default();
    let mut version = PROTOCOL_VERSION;
    match behaviour {
        "no model" => return Err("the model vie.traineddata is missing".into()),
        "no start" => panic!("no start"),
        "slow start" => idle(),
        "other version" => version += 1,
        "no landlock" => {
            sandbox.missing.push(MissingLayer { layer: Layer::Landlock, reason: "an old kernel".into() });
        }
        _ => {}
    }
    Ok(Ready { version, fingerprint: None, sandbox })
}

fn misbehave(socket: BorrowedFd<'_>, behaviour: &str) {
    let own_pid = rustix::process::getpid();
    match behaviour {
        // SAFETY: never sound; the kernel ends the process here, which is the point.
        "segfault" => unsafe { std::ptr::null_mut::<u8>().write_volatile(1) },
        "exit" => {
            eprintln!("{} tesseract: no such thing", "x".repeat(100_000));
            std::process::exit(3);
        }
        "killed" => rustix::process::kill_process(own_pid, rustix::process::Signal::KILL).unwrap(),
        "busy" => loop {
            std::hint::spin_loop();
        },
        "idle" => idle(),
        "memory" => eat_memory(),
        "rubbish" => write(socket, &[&5_u32.to_le_bytes()[..], &[0xff; 5]].concat()),
        "rubbish after the answer" => {
            let mut frame = frame::encode(&Ok::<_, Failure>(read("good")), BYTES_MAX).unwrap();
            frame[0] += 1;
            frame.push(0);
            write(socket, &frame);
        }
        "half a frame" => {
            write(socket, &[9, 0, 0, 0, 1]);
            std::process::exit(0);
        }
        "half a frame, alive" => {
            write(socket, &[9, 0, 0, 0, 1]);
            rustix::net::shutdown(socket, rustix::net::Shutdown::Both).unwrap();
        }
        "oversize" => write(socket, &u32::MAX.to_le_bytes()),
        "closed" => {
            rustix::net::shutdown(socket, rustix::net::Shutdown::Both).unwrap();
            idle();
        }
        "another answer" => answer(socket, Answer::Opened),
        "word outside" => answer(socket, broken_page()),
        "failure" => send(socket, &Err::<Answer, _>(Failure::Engine("it gave up".into()))),
        "chatty" => {
            eprintln!("{}", "x".repeat(1 << 20));
            answer(socket, read("good"));
        }
        "environment" => {
            let mut names: Vec<String> =
                std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            names.sort();
            answer(socket, read(&names.join(" ")));
        }
        "pid" => answer(socket, read(&own_pid.as_raw_nonzero().to_string())),
        other => panic!("no behaviour {other}"),
    }
}

fn idle() {
    std::thread::sleep(Duration::from_mins(1));
}

fn eat_memory() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; 1 << 20]);
        std::hint::black_box(&eaten);
    }
}

fn read(language: &str) -> Answer {
    let text = PageText { width: 8, height: 8, language: language.into(), ..PageText::default() };
    Answer::Read { text, blank: true, stages: StageCpu::default() }
}

fn broken_page() -> Answer {
    let bounds = Rect::new(0, 0, 9, 9);
    let word = Word { text: "x".into(), bounds, confidence: Confidence::FULL, suspect: false };
    let turn = pagemill_domain::geometry::Turn::None;
    let line = Line { bounds, baseline: Baseline::default(), turn, words: vec![word] };
    let content = Content::Paragraphs(vec![Paragraph { lines: vec![line] }]);
    let block = Block { kind: BlockKind::Text, bounds, content };
    let text = PageText { width: 8, height: 8, blocks: vec![block], ..PageText::default() };
    Answer::Read { text, blank: false, stages: StageCpu::default() }
}

fn answer(socket: BorrowedFd<'_>, answer: Answer) {
    send(socket, &Ok::<_, Failure>(answer));
}

fn send<T: serde::Serialize>(socket: BorrowedFd<'_>, message: &T) {
    frame::send(socket.as_fd(), &frame::encode(message, BYTES_MAX).unwrap(), None).unwrap();
}

fn write(socket: BorrowedFd<'_>, bytes: &[u8]) {
    let mut file = std::fs::File::from(socket.try_clone_to_owned().unwrap());
    file.write_all(bytes).unwrap();
}
