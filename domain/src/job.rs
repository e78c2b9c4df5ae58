//! Jobs as the cluster sees them: whose they are, and how they compete.

use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

/// The tenant of a run that knows no tenants.
pub const TENANT_DEFAULT: &str = "default";

/// A submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Whose it is; from the caller's identity, never from a request.
    pub tenant: String,
    /// The submitter's idempotency key, unique in the tenant.
    pub key: String,
    /// How its pages are treated.
    pub recipe: Recipe,
    /// How it competes.
    pub urgency: Urgency,
    /// Seconds since 1970.
    pub now_unix_seconds: i64,
    /// Whether an earlier job of that key is opened again, as the embedded mode does: its output folder is one job.
    /// Else the repeat names the job as it is.
    pub reopen: bool,
}

/// How a job competes with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Urgency {
    /// 0 (last) to [`PRIORITY_MAX`] (first).
    pub priority: u8,
    /// When it should be done, in seconds since 1970.
    pub deadline_unix_seconds: Option<i64>,
}

/// The priority of a job that names none.
pub const PRIORITY_DEFAULT: u8 = 5;

/// The most urgent priority.
pub const PRIORITY_MAX: u8 = 9;

impl Default for Urgency {
    fn default() -> Self {
        Self { priority: PRIORITY_DEFAULT, deadline_unix_seconds: None }
    }
}
