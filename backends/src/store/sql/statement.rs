//! A statement in the SQL that both databases speak, and what was attempted by it.
//!
//! Sets of rows travel as one parameter: a JSON array of arrays, read in SQL by `rows($n)`, whose column `value` holds
//! one inner array. `IN ids($n)` and `IN texts($n)` look for the first of each. `FOR UPDATE` and `FOR KEY SHARE` are left
//! out where only one connection writes.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde::Serialize;
use sqlx::error::BoxDynError;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, FromRow, SqlSafeStr, SqlStr, Type};

use super::super::dialect::{Arguments, Connection, Database, Row, translated};
use crate::store::StoreError;

/// Rows that one statement takes: what bounds its parameter.
pub(super) const ROWS_PER_STATEMENT_MAX: usize = 4_096;

/// Texts by the address and the length of what they were made from.
type Texts = HashMap<(usize, usize), Arc<str>>;

pub(super) struct Statement {
    action: &'static str,
    sql: &'static str,
    arguments: Result<Arguments, BoxDynError>,
}

/// A statement; `action` says what it attempts, verb first.
pub(super) fn statement(action: &'static str, sql: &'static str) -> Statement {
    Statement { action, sql, arguments: Ok(Arguments::default()) }
}

impl Statement {
    /// The value of the next `$n`.
    pub(super) fn bind<'t, T: Encode<'t, Database> + Type<Database>>(mut self, value: T) -> Self {
        self.arguments = self.arguments.and_then(|mut arguments| {
            arguments.add(value)?;
            Ok(arguments)
        });
        self
    }

    /// Returns how many rows it touched.
    pub(super) async fn run(self, db: &mut Connection) -> Result<u64, StoreError> {
        let (action, sql, arguments) = self.parts()?;
        let done = sqlx::query_with(sql, arguments).execute(db).await.map_err(database(action))?;
        Ok(done.rows_affected())
    }

    /// Returns all rows.
    pub(super) async fn all<T>(self, db: &mut Connection) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, Row> + Send + Unpin,
    {
        let (action, sql, arguments) = self.parts()?;
        sqlx::query_as_with(sql, arguments).fetch_all(db).await.map_err(database(action))
    }

    /// Returns the row, if there is one.
    pub(super) async fn optional<T>(self, db: &mut Connection) -> Result<Option<T>, StoreError>
    where
        T: for<'r> FromRow<'r, Row> + Send + Unpin,
    {
        let (action, sql, arguments) = self.parts()?;
        sqlx::query_as_with(sql, arguments).fetch_optional(db).await.map_err(database(action))
    }

    /// Returns the row that must be there.
    pub(super) async fn one<T>(self, db: &mut Connection) -> Result<T, StoreError>
    where
        T: for<'r> FromRow<'r, Row> + Send + Unpin,
    {
        let action = self.action;
        self.optional(db).await?.ok_or_else(|| database(action)(sqlx::Error::RowNotFound))
    }

    fn parts(self) -> Result<(&'static str, SqlStr, Arguments), StoreError> {
        let arguments = self.arguments.map_err(sqlx::Error::Encode).map_err(database(self.action))?;
        Ok((self.action, text(self.sql), arguments))
    }
}

/// A statement's text as its database reads it; each is made once, and known by where it lies.
fn text(sql: &'static str) -> SqlStr {
    static TEXTS: LazyLock<RwLock<Texts>> = LazyLock::new(RwLock::default);
    let place = (sql.as_ptr().addr(), sql.len());
    let known = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
    let text = known.unwrap_or_else(|| {
        let made: Arc<str> = translated(sql).into();
        TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(place, made.clone());
        made
    });
    AssertSqlSafe(text).into_sql_str()
}

/// Says what was attempted when the database failed.
pub(in crate::store) fn database(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { action, source }
}

/// Tuples as the parameter of `rows($n)`.
pub(super) fn rows<T: Serialize>(tuples: &[T]) -> Result<String, StoreError> {
    to_json("rows", &tuples)
}

/// Row numbers as the parameter of `rows($n)`.
pub(super) fn ids(ids: impl IntoIterator<Item = i64>) -> Result<String, StoreError> {
    rows(&ids.into_iter().map(|id| (id,)).collect::<Vec<_>>())
}

/// A value as the JSON that a column holds.
pub(super) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable { what, found: error.to_string() })
}

/// A value from the JSON that a column holds.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    json: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(json)
        .map_err(|_| StoreError::Unreadable { what, found: json.chars().take(200).collect() })
}

/// Words from outside, without the one character that PostgreSQL refuses in a text.
pub(super) fn storable(words: &str) -> String {
    words.replace('\0', "\u{fffd}")
}
