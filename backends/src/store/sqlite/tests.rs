use pagemill_domain::hash::ContentHash;
use pagemill_domain::job::TENANT_DEFAULT;
use pagemill_domain::limits::Limits;
use pagemill_domain::outcome::Fingerprint;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::Rejection;
use pagemill_domain::shard::Work;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::SqliteStore;
use crate::store::{DeadLetterFilter, LeaderLease, PageCursor, ShardOrder, ShardSizes, Store};

#[tokio::test]
async fn keeps_the_promises_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    for (number, check) in crate::store::conformance::CHECKS.iter().enumerate() {
        let file = folder.path().join(format!("{number}.db"));
        check(Box::new(SqliteStore::open(&file, &Limits::default()).await.unwrap())).await;
    }
}

#[tokio::test]
async fn opens_again_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    for _ in 0..2 {
        SqliteStore::open(&file, &Limits::default()).await.unwrap();
    }
}

/// A state file of the first version: one job with a read page, a dead one that waits for nothing, one that waits to be
/// read again, and a rejected source.
const FIRST_VERSION: &str = "
    INSERT INTO job (id, key, state, generation, recipe, recipe_key, reading_key, sources_submitted, sources_inspected,
        sources_rejected, pages_declared, pages_recognised, pages_dead, documents_arranged)
        VALUES (1, 'out', 'sealed', 3, $RECIPE, 'r', 'r', 2, 1, 1, 3, 1, 1, 1);
    INSERT INTO source (id, job, path, location, bytes, modified_ns, inode, generation, name, folder, state, pages, kind,
        cursor, cursor_end, document) VALUES (1, 1, 'a.tif', '{\"file\":\"/scans/a.tif\"}', 1, 1, 1, 3, 'a', '', 'inspected',
        3, 'tiff', 3, 3, 1);
    INSERT INTO source (id, job, path, location, bytes, modified_ns, inode, generation, name, folder, state, rejection)
        VALUES (2, 1, 'b.txt', '{\"file\":\"/scans/b.txt\"}', 1, 1, 1, 3, 'b', '', 'rejected', $REJECTION);
    INSERT INTO document (id, job, name, state, pages_open) VALUES (1, 1, 'a', 'open', 1);
    INSERT INTO page (source, number, width, height, dpi_x_milli, dpi_y_milli, dpi_rule, state, reason, fingerprint)
        VALUES (1, 1, 1, 1, 1, 1, '\"declared\"', 'recognised', NULL, 'old'),
               (1, 2, 1, 1, 1, 1, '\"declared\"', 'dead', 'page_crashed', NULL),
               (1, 3, 1, 1, 1, 1, '\"declared\"', 'pending', NULL, NULL);
    INSERT INTO retry (source, number, step) VALUES (1, 3, '\"retry\"');
    INSERT INTO fingerprint (fingerprint) VALUES ('old');
    INSERT INTO artifact (document, name, format, bytes, hash) VALUES (1, 'a.pdf', '\"pdf\"', 1, $HASH);
";

#[tokio::test]
async fn takes_a_state_of_the_first_version_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let mut first = sqlx::migrate!("migrations/sqlite");
    first.migrations.to_mut().truncate(1);
    first.run(&mut connection).await.unwrap();
    let quoted = |json: String| format!("'{json}'");
    let rows = FIRST_VERSION
        .replace("$RECIPE", &quoted(serde_json::to_string(&Recipe::default()).unwrap()))
        .replace("$REJECTION", &quoted(serde_json::to_string(&Rejection::UnknownKind).unwrap()))
        .replace("$HASH", &quoted(ContentHash::of(b"pdf").to_string()));
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let store = SqliteStore::open(&file, &Limits::default()).await.unwrap();
    let job = store.find_job(TENANT_DEFAULT, "out").await.unwrap().unwrap();
    let status = store.status(job).await.unwrap();
    assert_eq!((status.ledger.pages.recognised, status.ledger.pages.dead), (1, 1));
    assert_eq!(store.fingerprints(job).await.unwrap(), [Fingerprint("old".into())]);
    let dead = store.list_dead_letters(&DeadLetterFilter::default(), PageCursor::default(), 9).await.unwrap();
    let named: Vec<_> =
        dead.iter().map(|dead| (dead.path.as_str(), dead.number, dead.reason.as_str())).collect();
    assert_eq!(named, [("a.tif", 2, "page_crashed"), ("b.txt", 0, "source_unknown_kind")]);
    assert!(store.artifact(job, "a.pdf").await.unwrap().is_some());
    let epoch = store.seize_lease(&LeaderLease::default(), "test").await.unwrap().unwrap();
    let sizes = ShardSizes { sources: 1, pages: 9 };
    let order = ShardOrder { job, shards_max: 4, sizes, express: false };
    let shards = store.cut_shards(epoch, &[order]).await.unwrap();
    let Work::Recognise(groups) = &shards[0].work else { panic!("{:?}", shards[0].work) };
    assert_eq!((shards.len(), &groups[0].pages), (1, &vec![3]), "what waited to be read again still does");
}
