//! What SQLite says otherwise.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub(in crate::store) type Database = sqlx::Sqlite;
pub(in crate::store) type Connection = sqlx::SqliteConnection;
pub(in crate::store) type Row = sqlx::sqlite::SqliteRow;
pub(in crate::store) type Arguments = sqlx::sqlite::SqliteArguments;

/// Only one connection writes: no row needs a lock.
pub(in crate::store) fn translated(sql: &'static str) -> SqlStr {
    let sql = sql
        .replace("rows($1)", "(SELECT value FROM json_each($1))")
        .replace("rows($2)", "(SELECT value FROM json_each($2))")
        .replace("FOR UPDATE", "")
        .replace("FOR KEY SHARE", "");
    AssertSqlSafe(sql).into_sql_str()
}
