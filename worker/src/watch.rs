//! Watching an assembly from outside its thread. A page's reading has deadlines of its own; an assembly also writes,
//! copies and commits, and may hang where no deadline reaches.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pagemill_domain::ids::DocumentId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// By when the next sign of life of an assembly is due.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    due: Mutex<Option<(DocumentId, Instant)>>,
    changed: Notify,
}

impl Watch {
    /// The assembly of a document gets on; the next sign of it comes `within` that time.
    pub(crate) fn gets_on(&self, document: DocumentId, within: Duration) {
        self.set(Some((document, Instant::now() + within)));
    }

    /// Nothing is assembled.
    pub(crate) fn ends(&self) {
        self.set(None);
    }

    /// Returns when a sign of life is overdue, and of which document.
    pub(crate) async fn stalled(&self) -> DocumentId {
        loop {
            let due = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = self.changed.notified();
            match due {
                None => changed.await,
                Some((document, due)) if due <= Instant::now() => return document,
                // Whether it came in time or not: what is due now tells.
                Some((_, due)) => drop(tokio::time::timeout_at(due, changed).await),
            }
        }
    }

    fn set(&self, due: Option<(DocumentId, Instant)>) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: DocumentId = DocumentId(7);
    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn what_gets_on_or_has_ended_is_never_overdue() {
        let watch = Watch::default();
        watch.gets_on(DOCUMENT, SHORT);
        watch.gets_on(DOCUMENT, LONG);
        assert!(tokio::time::timeout(2 * SHORT, watch.stalled()).await.is_err());
        watch.gets_on(DOCUMENT, SHORT);
        watch.ends();
        assert!(tokio::time::timeout(2 * SHORT, watch.stalled()).await.is_err());
    }

    #[tokio::test]
    async fn a_stall_is_noticed_though_more_time_was_allowed_before() {
        let watch = Watch::default();
        watch.gets_on(DOCUMENT, LONG);
        let (stalled, ()) = tokio::join!(watch.stalled(), async {
            tokio::time::sleep(SHORT).await;
            watch.gets_on(DOCUMENT, SHORT);
        });
        assert_eq!(stalled, DOCUMENT);
    }
}
