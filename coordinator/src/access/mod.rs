//! Access: who calls, for which tenant, and what the caller may do.

use tonic::{Request, Status};

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Looks at the tenant's jobs and fetches results.
    Viewer,
    /// Submits, cancels and re-drives jobs too.
    Operator,
    /// Corrects what was read.
    Clerk,
    /// Does everything, and sees to the workers.
    Admin,
    /// A worker.
    Worker,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Look at jobs, pages and artifacts.
    View,
    /// Submit, cancel, re-drive.
    Operate,
    /// See to the workers.
    Administer,
    /// Work: open a worker's session.
    Work,
}

impl Role {
    /// Whether somebody of this role has `right`.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        match right {
            Right::View => !matches!(self, Self::Worker),
            Right::Operate => matches!(self, Self::Operator | Self::Admin),
            Right::Administer => matches!(self, Self::Admin),
            Right::Work => matches!(self, Self::Worker | Self::Admin),
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's name, for logs.
    pub name: String,
    /// Whose jobs, uploads and artifacts the caller sees; others do not exist for it.
    pub tenant: String,
    /// What the caller is.
    pub role: Role,
}

/// Tells callers apart.
#[derive(Debug, Clone)]
pub struct Access(());

impl Access {
    /// Everybody is admin of the tenant `default`: for a coordinator that only this machine can reach.
    #[must_use]
    pub const fn open() -> Self {
        Self(())
    }

    /// Whether everybody is let in; a coordinator with such an access listens on the loopback interface alone.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        true
    }

    /// Who sent `request`, if it has `right`.
    pub fn caller<T>(&self, _request: &Request<T>, right: Right) -> Result<Caller, Status> {
        let caller = Caller {
            name: "anybody".into(),
            tenant: pagemill_domain::job::TENANT_DEFAULT.into(),
            role: Role::Admin,
        };
        if caller.role.has(right) {
            return Ok(caller);
        }
        Err(Status::permission_denied("this needs another role: ask your admin"))
    }
}
