//! `pagemill workers`, `cordon`, `drain` and `queue`.

use pagemill_domain::hash::ContentHash;
use pagemill_proto::v1::{
    CordonRequest, Directive, DrainRequest, ListWorkersRequest, QueueRequest, Stage, StageQueue, Worker,
};
use serde_json::{Value, json};

use super::connection::{Cluster, workers};
use super::table::{Align, Table, shown};
use super::{PAGE_SIZE, moments};
use crate::arguments::{ClientArguments, CordonArguments, DrainArguments};
use crate::failure::{Exit, Failure};
use crate::progress::{print_json, print_result};
use crate::settings::Settings;

const COLUMNS: [(&str, Align); 7] = [
    ("WORKER", Align::Left),
    ("STATE", Align::Left),
    ("SLOTS", Align::Right),
    ("BUSY", Align::Right),
    ("SILENT", Align::Left),
    ("VERSION", Align::Left),
    ("READS WITH", Align::Left),
];

/// Lists the workers.
pub(crate) async fn list(arguments: &ClientArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let mut table = Table::new(&COLUMNS);
    let mut request = ListWorkersRequest { page_size: PAGE_SIZE, page_token: String::new() };
    loop {
        let listed =
            cluster.ask(request.clone(), |line, request| async move { workers(line).list(request).await });
        let answer = listed.await?;
        show(&answer.workers, &mut table, arguments.json);
        if answer.next_page_token.is_empty() {
            return Ok(Exit::Complete);
        }
        request.page_token = answer.next_page_token;
    }
}

/// Has a worker take no new work, or take work again.
pub(crate) async fn cordon(arguments: &CordonArguments, settings: &Settings) -> Result<Exit, Failure> {
    let request = CordonRequest { worker: arguments.worker.clone(), undo: arguments.undo };
    let cluster = Cluster::new(settings)?;
    let worker =
        cluster.ask(request, |line, request| async move { workers(line).cordon(request).await }).await?;
    show(&[worker], &mut Table::new(&COLUMNS), arguments.json);
    Ok(Exit::Complete)
}

/// Has a worker finish what it holds, and end.
pub(crate) async fn drain(arguments: &DrainArguments, settings: &Settings) -> Result<Exit, Failure> {
    let request = DrainRequest { worker: arguments.worker.clone() };
    let cluster = Cluster::new(settings)?;
    let worker =
        cluster.ask(request, |line, request| async move { workers(line).drain(request).await }).await?;
    show(&[worker], &mut Table::new(&COLUMNS), arguments.json);
    Ok(Exit::Complete)
}

fn show(workers: &[Worker], table: &mut Table, json: bool) {
    if json {
        for worker in workers {
            print_json(&worker_json(worker));
        }
    } else {
        table.print(&workers.iter().map(row).collect::<Vec<_>>());
    }
}

fn row(worker: &Worker) -> Vec<String> {
    vec![
        shown(&worker.worker),
        directive(worker).into(),
        worker.slots.to_string(),
        worker.slots_busy.to_string(),
        moments::a_while(worker.silent_seconds),
        shown(&worker.version),
        reads_with(&worker.fingerprint),
    ]
}

/// A fingerprint for people: the engine, and a number in which any difference shows. `--json` has all of it.
fn reads_with(fingerprint: &str) -> String {
    let mut parts = fingerprint.split("; ");
    let tesseract = parts.nth(1).unwrap_or(fingerprint);
    let engine = if parts.any(|part| part == "engine native") { "native" } else { tesseract };
    let number = ContentHash::of(fingerprint.as_bytes()).to_string();
    format!("{} #{}", shown(engine), &number[..8])
}

fn worker_json(worker: &Worker) -> Value {
    json!({
        "worker": worker.worker, "state": directive(worker), "slots": worker.slots,
        "slots_busy": worker.slots_busy, "silent_seconds": worker.silent_seconds, "version": worker.version,
        "fingerprint": worker.fingerprint,
    })
}

fn directive(worker: &Worker) -> &'static str {
    match worker.directive() {
        _ if worker.gone => "gone",
        Directive::Serve | Directive::Unspecified => "serving",
        Directive::Cordon => "cordoned",
        Directive::Drain => "draining",
    }
}

/// Shows what waits and what is on its way.
pub(crate) async fn queue(arguments: &ClientArguments, settings: &Settings) -> Result<Exit, Failure> {
    let cluster = Cluster::new(settings)?;
    let answer = cluster
        .ask(QueueRequest {}, |line, request| async move { workers(line).queue(request).await })
        .await?;
    if arguments.json {
        let stages: Vec<Value> = answer.stages.iter().map(stage_json).collect();
        print_json(&json!({"broker_up": answer.broker_up, "leader": answer.leader, "stages": stages}));
        return Ok(Exit::Complete);
    }
    let mut table =
        Table::new(&[("STAGE", Align::Left), ("PENDING", Align::Right), ("SHARDS IN FLIGHT", Align::Right)]);
    let row = |stage: &StageQueue| {
        vec![stage_name(stage).into(), stage.pending.to_string(), stage.shards_in_flight.to_string()]
    };
    table.print(&answer.stages.iter().map(row).collect::<Vec<_>>());
    print_result(&format!("broker  {}", if answer.broker_up { "up" } else { "down" }));
    print_result(&format!(
        "leader  {}",
        if answer.leader.is_empty() { "none".into() } else { shown(&answer.leader) }
    ));
    Ok(Exit::Complete)
}

fn stage_json(stage: &StageQueue) -> Value {
    json!({"stage": stage_name(stage), "pending": stage.pending, "shards_in_flight": stage.shards_in_flight})
}

fn stage_name(stage: &StageQueue) -> &'static str {
    match stage.stage() {
        Stage::Unspecified => "unknown",
        Stage::Inspect => "inspect",
        Stage::Recognise => "recognise",
        Stage::Assemble => "assemble",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_read_alike_show_it() {
        let one = reads_with("pagemill 0.1.0; tesseract 5.3.0; leptonica-1.82.0; vie 79df");
        assert!(one.starts_with("tesseract 5.3.0 #") && one.len() == 25, "{one}");
        assert_ne!(one, reads_with("pagemill 0.1.0; tesseract 5.3.0; leptonica-1.82.0; vie 0000"));
        let own = reads_with("pagemill 0.1.0; tesseract 5.3.0; leptonica-1.82.0; engine native; vie 79df");
        assert!(own.starts_with("native #"), "{own}");
    }
}
