//! A store that holds millions of pages before anything is measured.

use pagemill_tests::cluster::Cluster;

/// Pages of the job that is really run; the others are copies of its rows.
pub(crate) const MODEL_PAGES: u64 = 100_000;

/// Distance of the copies' numbers, above any number that the measured jobs get.
const STRIDE: u64 = 10_000_000;

/// Copies the rows of all that was done so far until the store holds about `pages` pages of it.
pub(crate) fn copy_rows(cluster: &Cluster<'_>, pages: u64) {
    let copies = (pages / MODEL_PAGES).saturating_sub(1);
    // Few rows take the slow way through JSON, which names only what changes; pages the fast one.
    let copying = |table: &str, changes: &str| {
        format!(
            "INSERT INTO {table} OVERRIDING SYSTEM VALUE \
             SELECT (jsonb_populate_record(row, jsonb_build_object({changes}))).* \
             FROM {table} row, generate_series(1, {copies}) copy;"
        )
    };
    let moved = |column: &str| format!("'{column}', row.{column} + {STRIDE} * copy");
    let statements = [
        copying("job", &format!("{}, 'key', row.key || ' ' || copy", moved("id"))),
        copying("source", &[moved("id"), moved("job"), moved("document")].join(", ")),
        copying("document", &[moved("id"), moved("job")].join(", ")),
        copying("artifact", &[moved("document"), moved("job")].join(", ")),
        copying("name", &moved("job")),
        copying("job_fingerprint", &moved("job")),
        format!(
            "INSERT INTO page SELECT source + {STRIDE} * copy, number, width, height, dpi_x_milli, dpi_y_milli, \
             dpi_rule, state, faults, losses, read_by, reason, detail, result, summary \
             FROM page, generate_series(1, {copies}) copy;"
        ),
        "ANALYZE".to_owned(),
    ];
    for statement in statements {
        cluster.services.postgres.sql(&cluster.services.store_url, &statement);
    }
    let rows = cluster.services.postgres.sql(&cluster.services.store_url, "SELECT count(*) FROM page");
    println!("the store holds {} pages of {} jobs", rows.trim(), copies + 1);
}
