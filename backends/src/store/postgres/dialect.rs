//! What PostgreSQL says otherwise.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub(in crate::store) type Database = sqlx::Postgres;
pub(in crate::store) type Connection = sqlx::PgConnection;
pub(in crate::store) type Row = sqlx::postgres::PgRow;
pub(in crate::store) type Arguments = sqlx::postgres::PgArguments;

pub(in crate::store) fn translated(sql: &'static str) -> SqlStr {
    let sql = sql
        .replace("rows($1)", "jsonb_array_elements($1::jsonb)")
        .replace("rows($2)", "jsonb_array_elements($2::jsonb)");
    AssertSqlSafe(sql).into_sql_str()
}
