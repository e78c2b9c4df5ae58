//! Who leads, and what a leader that is no more must not write.

use pagemill_domain::ids::Epoch;

use super::super::dialect::Connection;
use super::statement::statement;
use crate::store::{LeaderLease, StoreError};

/// Fails unless `epoch` leads, and has a successor wait until this transaction is over.
pub(super) async fn require(db: &mut Connection, epoch: Epoch) -> Result<(), StoreError> {
    let leads: Option<(i64,)> =
        statement("check the lease", "SELECT epoch FROM leader WHERE epoch = $1 FOR KEY SHARE")
            .bind(epoch.0)
            .optional(db)
            .await?;
    leads.map(|_| ()).ok_or(StoreError::Deposed)
}

pub(super) async fn read(db: &mut Connection) -> Result<LeaderLease, StoreError> {
    let (epoch, beat, holder) =
        statement("read the lease", "SELECT epoch, beat, holder FROM leader").one(db).await?;
    Ok(LeaderLease { epoch, beat, holder })
}

pub(super) async fn seize(
    db: &mut Connection,
    seen: &LeaderLease,
    holder: &str,
) -> Result<Option<Epoch>, StoreError> {
    let update = "UPDATE leader SET epoch = epoch + 1, beat = beat + 1, holder = $3
                  WHERE epoch = $1 AND beat = $2 RETURNING epoch";
    let seized: Option<(i64,)> = statement("seize the lease", update)
        .bind(seen.epoch)
        .bind(seen.beat)
        .bind(holder)
        .optional(db)
        .await?;
    Ok(seized.map(|(epoch,)| Epoch(epoch)))
}

pub(super) async fn renew(db: &mut Connection, epoch: Epoch) -> Result<(), StoreError> {
    let moved = statement("renew the lease", "UPDATE leader SET beat = beat + 1 WHERE epoch = $1")
        .bind(epoch.0)
        .run(db)
        .await?;
    if moved == 1 { Ok(()) } else { Err(StoreError::Deposed) }
}
