//! What PostgreSQL says otherwise.

pub(in crate::store) type Database = sqlx::Postgres;
pub(in crate::store) type Connection = sqlx::PgConnection;
pub(in crate::store) type Row = sqlx::postgres::PgRow;
pub(in crate::store) type Arguments = sqlx::postgres::PgArguments;

/// An array, not a subquery, is looked for: the planner can only use an index for it, however little it knows.
pub(in crate::store) fn translated(sql: &'static str) -> String {
    let mut sql = sql.to_owned();
    for parameter in ["$1", "$2"] {
        let rows = format!("jsonb_array_elements({parameter}::jsonb)");
        let array = |column: &str| format!("= ANY(ARRAY(SELECT {column} FROM {rows}))");
        sql = sql
            .replace(&format!("rows({parameter})"), &rows)
            .replace(&format!("IN ids({parameter})"), &array("CAST(value ->> 0 AS BIGINT)"))
            .replace(&format!("IN texts({parameter})"), &array("value ->> 0"));
    }
    sql
}
