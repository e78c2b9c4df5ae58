//! The audit log: who asked for what. Lines of JSON, only ever appended, each with the hash of the one before, so that
//! a line that is changed, taken out or put in shows.
//!
//! An entry is written before what it tells of is done, and what can't be entered is not done.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pagemill_domain::hash::ContentHash;
use serde::{Deserialize, Serialize};

/// A file of this many bytes is full: it is set aside as `FILE.NUMBER`, and the chain goes on in a new one.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Bytes of a line.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The hash before the first entry.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry tells.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    /// When, in milliseconds since 1970.
    pub(crate) unix_ms: u64,
    /// Who.
    pub(crate) caller: &'a str,
    /// Of which tenant.
    pub(crate) tenant: &'a str,
    /// In which role.
    pub(crate) role: &'a str,
    /// What was called.
    pub(crate) rpc: &'a str,
    /// The job it was about; 0 where none.
    pub(crate) job: i64,
    /// What else it was about: a job's key, a page, an artifact's name, a worker.
    pub(crate) about: &'a str,
    /// Whether the role has the right.
    pub(crate) admitted: bool,
}

#[derive(Serialize)]
struct Chained<'a> {
    number: u64,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
    previous: &'a str,
}

/// What a line is checked for.
#[derive(Deserialize)]
struct Link {
    number: u64,
    previous: String,
}

/// An audit log that is written.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: PathBuf,
    end: Mutex<End>,
}

#[derive(Debug)]
struct End {
    file: File,
    bytes: u64,
    number: u64,
    hash: String,
}

/// Why an audit log can't be trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// It can't be read or written.
    #[error("audit log: {0}")]
    Io(#[from] io::Error),
    /// A line is not what was written: changed, or the one before it is missing.
    #[error("audit log: entry {number} is not the one that was written, or one before it is missing")]
    Broken {
        /// The number of the entry that was expected here.
        number: u64,
    },
}

/// Where a whole chain ends. Lines cut off at the end leave a whole chain: compare it with what the coordinator logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEnd {
    /// Entries.
    pub entries: u64,
    /// The hash of the last one.
    pub hash: String,
}

impl AuditLog {
    /// Goes on at the end of that log, or begins it. What is there is checked first. An entry that a crash left
    /// half-written is cut off, and that is entered: what it would have told of was never done.
    pub(crate) fn open(file: &Path) -> Result<Self, AuditError> {
        let torn = cut_off_torn_entry(file)?;
        let AuditEnd { entries, hash } = verify(file)?;
        tracing::info!(entries, hash, "audit log goes on");
        let end = end(file, entries, hash)?;
        let log = Self { file: file.to_owned(), end: Mutex::new(end) };
        if let Some(torn) = torn {
            tracing::warn!(torn, "an entry of the audit log was half-written; it was cut off");
            log.enter(&Entry {
                unix_ms: super::now_unix_ms(),
                caller: "coordinator",
                tenant: "",
                role: "",
                rpc: "audit/repair",
                job: 0,
                about: &torn,
                admitted: true,
            })?;
        }
        Ok(log)
    }

    /// Appends.
    pub(crate) fn enter(&self, entry: &Entry<'_>) -> Result<(), AuditError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if end.bytes >= FILE_BYTES_MAX {
            self.turn_over(&mut end)?;
        }
        let chained = Chained { number: end.number + 1, entry, previous: &end.hash };
        let body = serde_json::to_string(&chained).map_err(io::Error::from)?;
        let hash = ContentHash::of(body.as_bytes()).to_string();
        let line = format!("{},\"hash\":\"{hash}\"}}\n", body.trim_end_matches('}'));
        if let Err(error) = end.file.write_all(line.as_bytes()) {
            // Of a full disk: the next entry follows the last whole one.
            end.file.set_len(end.bytes)?;
            return Err(error.into());
        }
        end.bytes += line.len() as u64;
        end.number += 1;
        end.hash = hash;
        Ok(())
    }

    fn turn_over(&self, full: &mut End) -> Result<(), AuditError> {
        full.file.sync_all()?;
        let aside = set_aside(&self.file, full.number);
        std::fs::rename(&self.file, aside)?;
        tracing::info!(entries = full.number, hash = full.hash, "audit log goes on in a new file");
        *full = end(&self.file, full.number, full.hash.clone())?;
        Ok(())
    }
}

fn end(file: &Path, number: u64, hash: String) -> io::Result<End> {
    let file = OpenOptions::new().create(true).append(true).open(file)?;
    let bytes = file.metadata()?.len();
    Ok(End { file, bytes, number, hash })
}

/// The name of a full file whose last entry has that number; names sort like numbers.
fn set_aside(file: &Path, number: u64) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{number:020}"));
    name.into()
}

/// Cuts off what stands behind the last line end of the file that is written; returns it in words, by its length and hash.
fn cut_off_torn_entry(file: &Path) -> io::Result<Option<String>> {
    let mut file = match OpenOptions::new().read(true).write(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let bytes = file.metadata()?.len();
    let tail_begin = bytes.saturating_sub(LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(tail_begin))?;
    let mut tail = Vec::new();
    (&mut file).take(LINE_BYTES_MAX as u64).read_to_end(&mut tail)?;
    let whole = match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if tail_begin == 0 => 0,
        // No entry is that long: not ours to repair.
        None => return Ok(None),
    };
    let torn = &tail[whole..];
    if torn.is_empty() {
        return Ok(None);
    }
    file.set_len(tail_begin + whole as u64)?;
    file.sync_all()?;
    Ok(Some(format!("cut off {} bytes of an entry, SHA-256 {}", torn.len(), ContentHash::of(torn))))
}

/// Reads a whole log, the files that were set aside first, and checks every link of the chain.
pub fn verify(file: &Path) -> Result<AuditEnd, AuditError> {
    let mut end = AuditEnd { entries: 0, hash: BEGINNING.into() };
    for file in files(file)? {
        let mut lines = BufReader::new(File::open(file)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let bytes = Read::take(&mut lines, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
            if bytes == 0 {
                break;
            }
            let number = end.entries + 1;
            let hash = check(&line, number, &end.hash).ok_or(AuditError::Broken { number })?;
            end = AuditEnd { entries: number, hash };
        }
    }
    Ok(end)
}

/// The log's files in the order of their entries.
fn files(file: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned() + ".";
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name().to_string_lossy().into_owned();
        if other.strip_prefix(&name).is_some_and(|number| number.parse::<u64>().is_ok()) {
            files.push(entry.path());
        }
    }
    files.sort();
    files.extend(file.exists().then(|| file.to_owned()));
    Ok(files)
}

/// The hash of a line that is whole and follows that entry.
fn check(line: &[u8], number: u64, previous: &str) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\"}\n")?;
    let (body, hash) = line.rsplit_once(",\"hash\":\"")?;
    let body = format!("{body}}}");
    let told: Link = serde_json::from_str(&body).ok()?;
    let whole = ContentHash::of(body.as_bytes()).to_string() == hash;
    (whole && told.number == number && told.previous == previous).then(|| hash.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn enter(log: &AuditLog, job: i64) {
        let entry = Entry {
            unix_ms: 1_000,
            caller: "night-shift",
            tenant: "archive",
            role: "operator",
            rpc: "Jobs/Cancel",
            job,
            about: "a \"key\" with }",
            admitted: true,
        };
        log.enter(&entry).unwrap();
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_every_tampering_shows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&file).unwrap();
        (1..=3).for_each(|job| enter(&log, job));
        drop(log);
        let log = AuditLog::open(&file).unwrap();
        (4..=5).for_each(|job| enter(&log, job));
        assert_eq!(verify(&file).unwrap().entries, 5);

        let whole = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        let changed = whole.replace("\"job\":2", "\"job\":9");
        let removed = [lines[0], lines[2], lines[3], lines[4]].join("\n") + "\n";
        let swapped = [lines[0], lines[2], lines[1], lines[3], lines[4]].join("\n") + "\n";
        let doubled = [lines[0], lines[0], lines[1]].join("\n") + "\n";
        let first_gone = lines[1..].join("\n") + "\n";
        for (tampered, at) in [(changed, 2), (removed, 2), (swapped, 2), (doubled, 2), (first_gone, 1)] {
            fs::write(&file, &tampered).unwrap();
            let found = verify(&file).unwrap_err();
            assert!(matches!(found, AuditError::Broken { number } if number == at), "{found}\n{tampered}");
            assert!(AuditLog::open(&file).is_err());
        }
    }

    #[test]
    fn an_entry_that_a_crash_tore_is_cut_off_and_that_is_entered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&file).unwrap();
        (1..=3).for_each(|job| enter(&log, job));
        drop(log);
        let whole = fs::read(&file).unwrap();
        let second_line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Wherever it is torn, in its first line and in a later one, down to the line end that is missing.
        for length in [1, second_line - 1, second_line + 1, second_line + 60, whole.len() - 1] {
            fs::write(&file, &whole[..length]).unwrap();
            assert!(verify(&file).is_err());
            let log = AuditLog::open(&file).unwrap();
            enter(&log, 9);
            let entries = whole[..length]
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                .count();
            assert_eq!(verify(&file).unwrap().entries, entries as u64 + 2);
            let text = fs::read_to_string(&file).unwrap();
            let told = text.lines().nth(entries).unwrap();
            assert!(told.contains("audit/repair") && told.contains("cut off"), "{told}");
        }
    }

    #[test]
    fn a_full_file_is_set_aside_and_the_chain_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&file).unwrap();
        enter(&log, 1);
        log.end.lock().unwrap().bytes = FILE_BYTES_MAX;
        enter(&log, 2);
        let aside = set_aside(&file, 1);
        assert!(aside.exists());
        assert_eq!(verify(&file).unwrap().entries, 2);
        fs::remove_file(aside).unwrap();
        assert!(matches!(verify(&file), Err(AuditError::Broken { number: 1 })));
    }
}
