//! `pagemill doctor`: whether this machine has what a run needs, and what to do where it has not.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use crate::arguments::DoctorArguments;
use crate::failure::{Exit, Failure};
use crate::progress::{print_json, print_result};
use crate::settings::Settings;

mod engine;
mod machine;
mod output;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// A run works, but not as well or as safely as it could.
    Warn,
    /// A run can't work.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Runs all checks and shows what they found.
pub(crate) fn run(arguments: &DoctorArguments, settings: &Settings) -> Result<Exit, Failure> {
    let findings = findings(&arguments.output, &arguments.languages, settings)?;
    for finding in &findings {
        if arguments.json {
            print_json(&json!({"event": "finding", "finding": finding}));
        } else {
            show(finding);
        }
    }
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(if worst == Some(Verdict::Fail) { Exit::Internal } else { Exit::Complete })
}

fn findings(output: &Path, languages: &[String], settings: &Settings) -> Result<Vec<Finding>, Failure> {
    let mut findings = engine::findings(languages, settings)?;
    findings.extend(machine::findings(settings));
    findings.extend(output::findings(output));
    Ok(findings)
}

fn show(finding: &Finding) {
    let mark = match finding.verdict {
        Verdict::Ok => "ok  ",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    };
    print_result(&format!("{mark}  {:<12} {}", finding.check, finding.found));
    if let Some(remedy) = &finding.remedy {
        print_result(&format!("                   what to do: {remedy}"));
    }
}

/// Bytes as people read them.
fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}
