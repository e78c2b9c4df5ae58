//! The shipped child with real files: what is read in the box is what is read outside it, and nothing survives its
//! worker.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pagemill_domain::geometry::Turn;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Fault;
use pagemill_domain::page_image::{Coding, Deliverable, ImageBytes};
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::{PageDefect, Rejection, SourceKind};
use pagemill_recognition::boxed::client::{BoxClient, BoxError, BoxOptions, Program, SourceFile, StartError};
use pagemill_recognition::boxed::protocol::ReaderSetup;
use pagemill_recognition::reader::{ModelDir, Reader, debug_picture};
use pagemill_recognition::source::Source;

use crate::test;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("a_page_is_read_in_the_box_as_outside", a_page_is_read_in_the_box_as_outside),
        test(
            "a_page_that_lies_sideways_is_set_right_in_the_box",
            a_page_that_lies_sideways_is_set_right_in_the_box,
        ),
        test(
            "a_child_without_a_reader_inspects_and_delivers",
            a_child_without_a_reader_inspects_and_delivers,
        ),
        test(
            "bad_sources_are_rejected_and_bad_pages_are_defects",
            bad_sources_are_rejected_and_bad_pages_are_defects,
        ),
        test("a_file_that_shrinks_costs_one_page", a_file_that_shrinks_costs_one_page),
        test("a_hole_is_never_taken_for_zeros", a_hole_is_never_taken_for_zeros),
        test("a_missing_model_is_named_at_the_start", a_missing_model_is_named_at_the_start),
        test("children_die_with_their_worker", children_die_with_their_worker),
        test("a_child_keeps_no_descriptor_of_its_worker", a_child_keeps_no_descriptor_of_its_worker),
    ]
}

/// A worker that starts a child, tells its id, and never ends by itself.
pub(crate) fn worker() {
    let mut client = BoxClient::new(options());
    client.start().unwrap();
    println!("{}", client.child_id().unwrap());
    std::thread::sleep(Duration::from_mins(1));
}

fn options() -> BoxOptions {
    let program = Program { path: "/proc/self/exe".into(), arguments: vec!["role:child".into()] };
    BoxOptions { program, limits: Limits::default(), reader: None, require_sandbox: true }
}

pub(crate) fn reading() -> BoxOptions {
    let models = ModelDir::find(None).folder().to_owned();
    BoxOptions { reader: Some(ReaderSetup { recipe: Recipe::default(), models }), ..options() }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/d05-1.jpg")
}

fn open(path: &Path) -> SourceFile {
    SourceFile::new(File::open(path).unwrap()).unwrap()
}

pub(crate) fn source_of(bytes: &[u8]) -> SourceFile {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    SourceFile::new(file).unwrap()
}

/// Waits until the other side of a pipe, or a process, has ended.
fn assert_ends(descriptor: impl AsFd, what: &str) {
    let mut ended = [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)];
    let timeout = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut ended, Some(&timeout)).unwrap(), 1, "{what}");
}

fn a_page_is_read_in_the_box_as_outside() {
    let mut client = BoxClient::new(reading());
    let ready = client.start().unwrap();
    assert!(ready.fingerprint.is_some_and(|fingerprint| fingerprint.0.contains("tesseract")));
    let bytes = top_of_sample();
    let answered = client.read(&source_of(&bytes), 1, false);
    let inside = answered.result.unwrap();
    assert!(
        answered.cost.cpu > Duration::ZERO && answered.cost.peak_memory_kib > 10_000,
        "{:?}",
        answered.cost
    );
    let source = Source::open(Arc::new(bytes.clone()), &Limits::default()).unwrap();
    let mut reader = Reader::load(&Recipe::default(), &ModelDir::find(None)).unwrap();
    reader.warm_up();
    let outside = reader.read(source.sheet(0).unwrap()).unwrap();
    assert!(inside.text.words().count() > 20);
    assert_eq!((&inside.text, inside.blank), (&outside.text, outside.blank));
    let drawn = client.draw(&source_of(&bytes), 1, false).result.unwrap();
    assert!(
        Some(drawn) == debug_picture(&source.decode(0).unwrap(), &outside.text),
        "what was seen is drawn in the box as outside"
    );
}

/// The model of orientation detection is loaded in the locked child, when the first page asks for it.
fn a_page_that_lies_sideways_is_set_right_in_the_box() {
    let mut client = BoxClient::new(reading());
    client.start().unwrap();
    let upright = client.read(&source_of(&top_of_sample()), 1, false).result.unwrap();
    let sideways = png_of(&image::open(sample()).unwrap().rotate90());
    let sideways = client.read(&source_of(&sideways), 1, false).result.unwrap();
    assert_eq!((upright.text.turn, sideways.text.turn), (Turn::None, Turn::Right));
    assert!(sideways.stages.orientation_ms > 0);
}

/// The head of a letter, as a PNG: enough to read, and quickly read.
fn top_of_sample() -> Vec<u8> {
    png_of(&image::open(sample()).unwrap().crop_imm(0, 0, 2481, 900))
}

fn png_of(page: &image::DynamicImage) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    page.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

fn a_child_without_a_reader_inspects_and_delivers() {
    let mut client = BoxClient::new(options());
    let source = open(&sample());
    let facts = client.inspect(&source).result.unwrap();
    assert_eq!((facts.kind, facts.pages.len()), (SourceKind::Jpeg, 1));
    let image = client.deliver(&source, 1, Deliverable::Pdf17).result.unwrap();
    assert_eq!(image.coding, Coding::Jpeg);
    assert_eq!(image.bytes, ImageBytes::Source { offset: 0, length: source.bytes() });
    assert_eq!(client.existing_text(&source, 1).result.unwrap(), None);
    assert!(matches!(client.read(&source, 1, false).result, Err(BoxError::Fault(Fault::Rubbish { .. }))));
}

fn bad_sources_are_rejected_and_bad_pages_are_defects() {
    let mut client = BoxClient::new(options());
    let rejected = |rejection| Err(BoxError::Rejected(rejection));
    assert_eq!(client.inspect(&source_of(b"")).result, rejected(Rejection::Empty));
    assert_eq!(client.inspect(&source_of(b"Dear Sir")).result, rejected(Rejection::UnknownKind));
    let good = open(&sample());
    for page in [0, 2, u32::MAX] {
        let answer = client.deliver(&good, page, Deliverable::Pdf17).result;
        assert_eq!(answer, Err(BoxError::Defect(PageDefect::Missing)), "page {page}");
    }
    let mut options = options();
    options.limits.bytes_per_source_max = good.bytes() - 1;
    let answer = BoxClient::new(options).inspect(&good).result;
    assert_eq!(answer, rejected(Rejection::TooManyBytes { bytes: good.bytes() }));
    assert!(SourceFile::new(File::open("/").unwrap()).is_err(), "a folder can't be mapped");
}

fn a_file_that_shrinks_costs_one_page() {
    let mut client = BoxClient::new(options());
    let copy = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(sample(), copy.path()).unwrap();
    let source = open(copy.path());
    assert!(client.inspect(&source).result.is_ok());
    copy.as_file().set_len(0).unwrap();
    let result = client.read(&source, 1, false).result;
    let Err(BoxError::Fault(Fault::Crashed { how })) = result else { panic!("{result:?}") };
    assert!(how.contains("SIGBUS"), "{how}");
    assert!(client.inspect(&open(&sample())).result.is_ok());
}

fn a_missing_model_is_named_at_the_start() {
    let mut options = reading();
    options.reader.as_mut().unwrap().models = "/nonexistent".into();
    let Err(StartError::Setup(what)) = BoxClient::new(options).start() else { panic!() };
    assert!(what.contains("vie.traineddata"), "{what}");
}

fn children_die_with_their_worker() {
    let mut worker =
        Command::new("/proc/self/exe").arg("role:worker").stdout(Stdio::piped()).spawn().unwrap();
    let mut child = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut child).unwrap();
    let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
    let handle = rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()).unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_ends(handle, "the child outlived its worker");
}

fn a_child_keeps_no_descriptor_of_its_worker() {
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).unwrap();
    let mut client = BoxClient::new(options());
    client.start().unwrap();
    drop(writer);
    // Children of other tests may have inherited it, too; they soon end.
    assert_ends(reader, "the child holds what it inherited");
}

/// Two pages of one strip each, of 16 KiB of grey.
fn tiff_of_two_pages() -> Vec<u8> {
    let strip = |page: u8| (0..128_u32 * 128).map(move |at| (at * 7 % 251) as u8 ^ page);
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let strips = [8_u32, 8 + 128 * 128];
    file.extend(strip(1).chain(strip(99)));
    let mut link = 4;
    for at in strips {
        let directory = file.len() as u32;
        file[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        let entries =
            [(256, 128), (257, 128), (258, 8), (259, 1), (262, 1), (273, at), (278, 128), (279, 128 * 128)];
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, value) in entries {
            let entry: [&[u8]; 4] = [
                &u16::to_le_bytes(tag),
                &4_u16.to_le_bytes(),
                &1_u32.to_le_bytes(),
                &u32::to_le_bytes(value),
            ];
            file.extend(entry.concat());
        }
        link = file.len();
        file.extend([0; 4]);
    }
    file
}

fn a_hole_is_never_taken_for_zeros() {
    let bytes = tiff_of_two_pages();
    let mut client = BoxClient::new(options());
    let whole = source_of(&bytes);
    assert!(whole.is_whole());
    let expected = client.deliver(&whole, 1, Deliverable::Pdf14).result.unwrap();
    let outside = Source::open(Arc::new(bytes.clone()), &Limits::default()).unwrap().page_ranges().unwrap();
    let ranges = client.map(&whole).result.unwrap().unwrap();
    assert_eq!(ranges, outside);

    let [hole] = ranges[1][..] else { panic!("one strip: {ranges:?}") };
    let mut holed = bytes;
    holed[hole.offset as usize..hole.end() as usize].fill(0);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&holed).unwrap();
    let part = SourceFile::with_holes(file, &[hole]).unwrap();
    assert_eq!(client.deliver(&part, 1, Deliverable::Pdf14).result.unwrap(), expected);
    let missing = client.deliver(&part, 2, Deliverable::Pdf14).result;
    assert!(
        matches!(&missing, Err(BoxError::Fault(Fault::Crashed { how })) if how.contains("SIGSEGV")),
        "{missing:?}"
    );
    assert!(client.deliver(&whole, 2, Deliverable::Pdf14).result.is_ok(), "the whole has it");
}
