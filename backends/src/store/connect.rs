//! Which store an address means.

use std::path::Path;
use std::sync::Arc;

use pagemill_domain::limits::Limits;

use super::{PostgresStore, SqliteStore, Store, StoreError};

/// Opens the store at `url`: `sqlite:FILE`, or `postgres://…` (also `postgresql://…`). Its tables are brought up to date.
pub async fn connect(url: &str, limits: &Limits) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(file) = url.strip_prefix("sqlite:") {
        return Ok(Arc::new(SqliteStore::open(Path::new(file), limits).await?));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(PostgresStore::connect(url, limits).await?));
    }
    Err(StoreError::UnknownScheme { scheme: url.split(':').next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_names_its_store_and_a_refusal_shows_no_password() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        let store = connect(&url, &Limits::default()).await.unwrap();
        assert_eq!(store.leader_lease().await.unwrap().epoch, 0);
        let refused = connect("mysql://user:secret@host/db", &Limits::default()).await.err().unwrap();
        assert!(matches!(refused, StoreError::UnknownScheme { .. }));
        assert!(!refused.to_string().contains("secret"), "{refused}");
        let nobody =
            connect("postgres://user:secret@127.0.0.1:9/db", &Limits::default()).await.err().unwrap();
        assert!(nobody.is_unavailable() && !nobody.to_string().contains("secret"), "{nobody}");
    }
}
