//! Backup and restore as `docs/operating.md` tells it, of a cluster that goes on working meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pagemill_test_services::{Place, shared, wait_until};
use pagemill_tests::cluster::{Cluster, Services};
use pagemill_tests::page::commands;
use pagemill_tests::scans::strips;
use pagemill_tests::{Finished, Workplace, finish, pagemill, root};

use crate::{BASELINE, FLAGS, PATIENCE};

/// Copies a folder of blobs, as a tool for backups does.
fn copy(from: &Path, to: &Path) {
    finish(Command::new("cp").arg("-a").arg(from).arg(to)).expect_exit(0);
}

/// The statement that the page has an admin run after a restore.
fn statement_after_a_restore() -> String {
    let page = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let line = page.lines().find(|line| line.contains("SELECT setval(")).unwrap();
    line.split('"').find(|part| part.starts_with("SELECT setval(")).unwrap().to_owned()
}

/// Runs `pagemill verify --all`.
fn verify(services: &Services<'_>, place: &Place) -> Finished {
    let mut command = pagemill(&["verify", "--all"]);
    command
        .env("PAGEMILL_STORE_URL", &services.store_url)
        .env("PAGEMILL_BLOBS_URL", &services.blobs_url)
        .envs(services.s3.env())
        .env("PAGEMILL_CACHE_DIR", place.join("cache"));
    finish(&mut command)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.collect::<Vec<_>>().concat()
}

#[test]
fn a_backup_of_a_cluster_at_work_is_restored_elsewhere_checked_and_goes_on() {
    let (place, workplace, postgres) = (Place::new("backup"), BASELINE.scans(), shared::postgres());
    let (blobs, copied, dump) = (place.join("blobs"), place.join("copied"), place.join("store.dump"));
    fs::create_dir(&blobs).unwrap();
    let services = Services { blobs_url: format!("file:{}", blobs.display()), ..Services::shared() };
    let (queue_url, store_url) = (services.queue_url.clone(), services.store_url.clone());
    let cluster = Cluster::start(services, 1, 1);
    let submission = cluster.submit(&workplace, "backup", &FLAGS);
    wait_until("the first page is recognised", PATIENCE, || {
        let recognised = postgres.sql(&store_url, "SELECT COALESCE(max(pages_recognised), 0) FROM job");
        recognised != "0"
    });
    // The store first: what its rows name then is there already, and stays while the blobs are copied.
    postgres.dump(&store_url, &dump);
    copy(&blobs, &copied);
    // Then all is lost but the broker, which still has messages of the time after the backup.
    drop((submission, cluster));

    let services = Services { blobs_url: format!("file:{}", copied.display()), ..Services::shared() };
    let services = Services { worker_queue_url: queue_url.clone(), queue_url, ..services };
    postgres.restore(&services.store_url, &dump);
    postgres.sql(&services.store_url, &statement_after_a_restore());
    let checked = verify(&services, &place).expect_exit(0);
    assert!(checked.stdout.contains("the ledgers of 1 jobs balance"), "{}", checked.stdout);

    let cluster = Cluster::start(services, 1, 1);
    cluster.submit(&workplace, "backup", &FLAGS).finish(&cluster).expect_exit(0);
    BASELINE.assert_same(&workplace);
    verify(&cluster.services, &place).expect_exit(0);
}

#[test]
fn a_store_in_sqlite_and_blobs_in_s3_are_copied_and_restored_with_the_commands_of_the_page() {
    let place = Place::new("copied");
    let workplace = Workplace::with(strips(1).iter().map(|(name, scan)| (name.as_str(), scan.clone())));
    let store_url = format!("sqlite:{}", place.join("state.db").display());
    let services = || Services { store_url: store_url.clone(), ..Services::shared() };
    let run = |services: &Services<'_>, part: &str| {
        let commands = commands("Backup and restore");
        let command = commands.iter().find(|command| command.contains(part)).unwrap();
        let bucket = services.blobs_url.trim_start_matches("s3://");
        let mut bash = Command::new("bash");
        bash.args(["-c", &command.replace("bucket/prefix", bucket)]).current_dir(place.path());
        bash.envs(services.s3.env()).env("RCLONE_CONFIG_S3_ENDPOINT", services.s3.endpoint());
        // Where a proxy has certificates of its own; rclone fails over the variable.
        bash.env_remove("AWS_CA_BUNDLE");
        let remote = [("TYPE", "s3"), ("PROVIDER", "Other"), ("ENV_AUTH", "true")];
        bash.envs(remote.map(|(name, value)| (format!("RCLONE_CONFIG_S3_{name}"), value)));
        finish(&mut bash).expect_exit(0);
    };

    let cluster = Cluster::start(services(), 1, 1);
    cluster.submit(&workplace, "copied", &FLAGS).finish(&cluster).expect_exit(0);
    run(&cluster.services, "sqlite3 state.db \".backup");
    run(&cluster.services, "rclone copy s3:");
    // What comes after the backup is lost with the rest.
    cluster.submit(&workplace, "later", &["--formats", "json"]).finish(&cluster).expect_exit(0);
    drop(cluster);

    let restored = services();
    run(&restored, "cp store.db state.db");
    run(&restored, "UPDATE sqlite_sequence");
    run(&restored, "rclone copy backup s3:");
    let checked = verify(&restored, &place).expect_exit(0);
    assert!(checked.stdout.contains("the ledgers of 1 jobs balance"), "{}", checked.stdout);
    let cluster = Cluster::start(restored, 1, 1);
    let out = place.join("out");
    cluster.client(&["fetch", "1", "-o", out.to_str().unwrap()]).expect_exit(0);
    assert_eq!(fs::read(out.join("1.pdf")).unwrap(), fs::read(workplace.out().join("1.pdf")).unwrap());
    // Numbers that were never given before: the later job's shards are not taken for new ones.
    cluster.submit(&workplace, "new", &["--formats", "json"]).finish(&cluster).expect_exit(0);
    verify(&cluster.services, &place).expect_exit(0);
}

#[test]
fn a_blob_that_is_gone_or_damaged_and_a_count_that_is_wrong_are_told() {
    let (place, workplace) = (Place::new("damaged"), BASELINE.scans());
    let blobs = place.join("blobs");
    fs::create_dir(&blobs).unwrap();
    let services = Services { blobs_url: format!("file:{}", blobs.display()), ..Services::shared() };
    let cluster = Cluster::start(services, 1, 1);
    cluster.submit(&workplace, "damaged", &FLAGS).finish(&cluster).expect_exit(0);
    verify(&cluster.services, &place).expect_exit(0);

    for kind in ["sources", "results", "artifacts"] {
        let file = files(&blobs.join(kind)).pop().unwrap();
        let (hash, whole) = (file.file_name().unwrap().to_str().unwrap(), fs::read(&file).unwrap());
        fs::remove_file(&file).unwrap();
        let told = verify(&cluster.services, &place).expect_exit(4).stdout;
        assert!(told.contains(&format!("{hash}: it is missing")), "{told}");
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        fs::write(&file, flipped).unwrap();
        let told = verify(&cluster.services, &place).expect_exit(4).stdout;
        assert!(told.contains(&format!("{hash}: its bytes do not match its hash")), "{told}");
        fs::write(&file, whole).unwrap();
    }
    verify(&cluster.services, &place).expect_exit(0);

    let (postgres, store_url) = (shared::postgres(), &cluster.services.store_url);
    postgres.sql(store_url, "UPDATE job SET pages_recognised = pages_recognised - 1");
    let told = verify(&cluster.services, &place).expect_exit(4).stdout;
    assert!(told.contains("8 pages declared, 7 accounted for"), "{told}");
    assert!(told.contains("8 recognised pages in its rows, 7 in its ledger"), "{told}");
}
