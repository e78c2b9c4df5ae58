//! What `deploy/` holds: rules, dashboards and manifests are well-formed, agree with the program and its pages, and do
//! what they say.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pagemill_domain::hash::ContentHash;
use pagemill_test_services::Place;
use pagemill_tests::page::commands;
use pagemill_tests::{finish, root};
use regex::Regex;
use serde_json::Value;

fn deploy() -> PathBuf {
    root().join("deploy")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a tool on files of `deploy/`; what it said where it objects.
fn check(tool: &str, arguments: &[&str]) {
    let output = Command::new(tool).args(arguments).current_dir(deploy()).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}: {error}: scripts/setup.sh installs it"));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{tool} {arguments:?}\n{}{}", said[0], said[1]);
}

#[test]
fn rules_are_valid_and_every_alert_fires_when_it_has_to() {
    check("promtool", &["check", "rules", "prometheus/recording.yaml", "prometheus/alerts.yaml"]);
    check("promtool", &["check", "config", "prometheus/prometheus.yaml"]);
    check("promtool", &["test", "rules", "prometheus/tests/alerts.yaml"]);
    let cases = read("deploy/prometheus/tests/alerts.yaml");
    for alert in alerts() {
        let fires = Regex::new(&format!(r"alertname: {alert}\n\s+exp_alerts:")).unwrap();
        assert!(fires.is_match(&cases), "no case lets {alert} fire");
        assert!(cases.contains(&format!("alertname: {alert}}}")), "no case keeps {alert} silent");
    }
}

fn alerts() -> Vec<String> {
    let name = Regex::new(r"- alert: (\w+)").unwrap();
    name.captures_iter(&read("deploy/prometheus/alerts.yaml")).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_alert_has_a_runbook() {
    let rules = read("deploy/prometheus/alerts.yaml");
    let runbooks: Vec<String> = Regex::new(r"runbook: docs/operating.md#([a-z-]+)")
        .unwrap()
        .captures_iter(&rules)
        .map(|found| found[1].to_owned())
        .collect();
    assert_eq!(runbooks.len(), alerts().len());
    let headings: BTreeSet<String> = read("docs/operating.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for runbook in runbooks {
        assert!(headings.contains(&runbook), "docs/operating.md has no section {runbook}");
    }
}

/// The metrics and recorded series that `docs/metrics.md` explains.
fn explained() -> BTreeSet<String> {
    let row = Regex::new(r"(?m)^\| `(pagemill[a-z_:0-9]+)` \|").unwrap();
    row.captures_iter(&read("docs/metrics.md")).map(|found| found[1].to_owned()).collect()
}

/// The metrics that a query names; the parts of a histogram by the histogram's name.
fn metrics_of(query: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bpagemill[a-z_:0-9]+").unwrap();
    let histogram = |name: &str| {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        part.unwrap_or(name).to_owned()
    };
    name.find_iter(query).map(|found| histogram(found.as_str())).collect()
}

#[test]
fn rules_use_only_metrics_that_are_explained_and_record_what_is() {
    let explained = explained();
    assert!(explained.len() > 20, "{explained:?}");
    let recording = read("deploy/prometheus/recording.yaml");
    for name in metrics_of(&recording).union(&metrics_of(&read("deploy/prometheus/alerts.yaml"))) {
        let group = name == "pagemill";
        assert!(group || explained.contains(name), "docs/metrics.md does not explain {name}");
    }
    let recorded: BTreeSet<String> = Regex::new(r"record: (\S+)")
        .unwrap()
        .captures_iter(&recording)
        .map(|found| found[1].to_owned())
        .collect();
    let recorded_on_page: BTreeSet<String> =
        explained.iter().filter(|name| name.contains(':')).cloned().collect();
    assert_eq!(recorded, recorded_on_page);
}

#[test]
fn manifests_are_as_their_schemas_want_them() {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let bin = cache.join("pagemill/manifests/bin");
    let (python, kubectl) = (bin.join("python"), bin.join("kubectl"));
    let place = Place::new("secrets");
    let secrets = place.write("secrets.yaml", &secrets_of_the_page(&place, &kubectl));
    let paths = [&kubectl, &secrets].map(|path| path.to_str().unwrap());
    check(python.to_str().unwrap(), &["kubernetes/check.py", paths[0], paths[1]]);
}

/// What the page has an admin make before anything is applied, as `kubectl` would send it.
fn secrets_of_the_page(place: &Place, kubectl: &Path) -> String {
    let commands = commands("On Kubernetes, from nothing to scaled and secured");
    let first = commands.iter().position(|command| command.starts_with("umask")).unwrap();
    let last = commands.iter().position(|command| command.starts_with("kubectl apply")).unwrap();
    let send = format!("kubectl() {{ {} \"$@\" --dry-run=client -o yaml; echo ---; }}", kubectl.display());
    let script =
        ["set -euo pipefail".to_owned(), send].into_iter().chain(commands[first..last].iter().cloned());
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script.collect::<Vec<_>>().join("\n")).current_dir(place.path());
    let made = finish(bash.env("HOME", place.path())).expect_exit(0).stdout;
    let hash = ContentHash::of(&fs::read(place.join("secrets/admin.token")).unwrap()).to_string();
    assert!(fs::read_to_string(place.join("secrets/tokens.toml")).unwrap().contains(&hash));
    made
}

#[test]
fn the_operator_gets_the_rules_that_are_tested() {
    let operator = read("deploy/kubernetes/base/rules.yaml");
    let groups = operator.split_once("  groups:\n").unwrap().1;
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    let mut wanted = String::new();
    for file in ["recording", "alerts"] {
        let rules = read(&format!("deploy/prometheus/{file}.yaml"));
        wanted.extend(rules.split_once("groups:\n").unwrap().1.lines().map(indented));
    }
    assert!(groups == wanted, "deploy/kubernetes/base/rules.yaml holds other rules than deploy/prometheus");
}

#[test]
fn metrics_in_the_program_and_on_the_page_are_the_same() {
    let whole = Regex::new(r#""pagemill_([a-z_]+)""#).unwrap();
    // The coordinator names them without the prefix: `gauges(&registry, "name", …)`, `opts("name", …)`.
    let short = Regex::new(r#"(?:registry,|opts\()\s*"([a-z_]+)""#).unwrap();
    let mut registered = BTreeSet::new();
    for file in ["coordinator/src/metrics.rs", "worker/src/metrics.rs"] {
        let source = read(file);
        let code = source.split("#[cfg(test)]").next().unwrap();
        for found in whole.captures_iter(code).chain(short.captures_iter(code)) {
            registered.insert(format!("pagemill_{}", &found[1]));
        }
    }
    let explained: BTreeSet<String> = explained().into_iter().filter(|name| !name.contains(':')).collect();
    assert_eq!(registered, explained);
}

/// Every dashboard by its file's name.
fn dashboards() -> BTreeMap<String, Value> {
    let files = fs::read_dir(deploy().join("grafana/dashboards")).unwrap();
    let dashboards = files.map(|file| {
        let path = file.unwrap().path();
        let dashboard = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), dashboard)
    });
    dashboards.collect()
}

/// The queries of a dashboard with the titles of their panels.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().iter();
        targets.map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    queries.collect()
}

#[test]
fn dashboards_are_well_formed() {
    let dashboards = dashboards();
    let uids: BTreeSet<&str> = dashboards.values().map(|board| board["uid"].as_str().unwrap()).collect();
    assert_eq!((dashboards.len(), uids.len()), (3, 3));
    for (file, board) in &dashboards {
        let variables = board["templating"]["list"].as_array().unwrap();
        let source = variables.iter().find(|variable| variable["name"] == "datasource").unwrap();
        assert_eq!((&source["type"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: ids are not unique");
        for panel in panels {
            let title = panel["title"].as_str().unwrap();
            assert!(!title.is_empty() && panel["fieldConfig"].is_object(), "{file}: {title}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{file}: {title}");
            }
            let place = &panel["gridPos"];
            assert!(place["x"].as_i64().unwrap() + place["w"].as_i64().unwrap() <= 24, "{file}: {title}");
        }
    }
}

#[test]
fn dashboards_ask_only_for_metrics_that_are_explained() {
    let explained = explained();
    for (file, board) in dashboards() {
        for (title, query) in queries(&board) {
            let metrics = metrics_of(&query);
            assert!(!metrics.is_empty(), "{file}: {title} asks for nothing of ours");
            for name in metrics {
                assert!(explained.contains(&name), "{file}: {title}: {name} is not in docs/metrics.md");
            }
        }
    }
}

#[test]
fn every_role_can_write_its_cache_though_its_root_is_read_only() {
    for role in ["coordinator", "worker"] {
        let manifest = read(&format!("deploy/kubernetes/base/{role}.yaml"));
        assert!(manifest.contains("readOnlyRootFilesystem: true"), "{role}");
        assert!(manifest.contains("{name: cache, mountPath: /var/cache/pagemill}"), "{role}");
        let compose = read("deploy/compose/compose.yaml");
        let service = compose.split(&format!("\n  {role}:\n")).nth(1).unwrap().split("\n\n").next().unwrap();
        assert!(service.contains("/var/cache/pagemill\""), "{role}: {service}");
    }
}
