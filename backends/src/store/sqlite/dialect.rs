//! What SQLite says otherwise.

pub(in crate::store) type Database = sqlx::Sqlite;
pub(in crate::store) type Connection = sqlx::SqliteConnection;
pub(in crate::store) type Row = sqlx::sqlite::SqliteRow;
pub(in crate::store) type Arguments = sqlx::sqlite::SqliteArguments;

/// Only one connection writes: no row needs a lock.
pub(in crate::store) fn translated(sql: &'static str) -> String {
    let mut sql = sql.replace("FOR UPDATE", "").replace("FOR KEY SHARE", "");
    for parameter in ["$1", "$2"] {
        let rows = format!("(SELECT value FROM json_each({parameter}))");
        sql = sql
            .replace(&format!("rows({parameter})"), &rows)
            .replace(
                &format!("IN ids({parameter})"),
                &format!("IN (SELECT CAST(value ->> 0 AS BIGINT) FROM {rows})"),
            )
            .replace(&format!("IN texts({parameter})"), &format!("IN (SELECT value ->> 0 FROM {rows})"));
    }
    sql
}
