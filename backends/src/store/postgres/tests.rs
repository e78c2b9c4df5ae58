use pagemill_domain::limits::Limits;
use pagemill_test_services::shared;

use super::PostgresStore;

async fn fresh_store() -> PostgresStore {
    PostgresStore::connect(&shared::postgres().fresh_url(), &Limits::default()).await.unwrap()
}

#[tokio::test]
async fn keeps_the_promises_of_a_store() {
    for check in crate::store::conformance::CHECKS {
        check(Box::new(fresh_store().await)).await;
    }
}
