//! Access: who calls, for which tenant, and what the caller may do; and the entry in the audit log that says so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tonic::{Request, Status};

use audit::{AuditLog, Entry};
use followed::Followed;
use rpcs::Rpc;
use tokens::TokenTable;

mod audit;
pub(crate) mod followed;
mod rpcs;
mod tokens;

pub use audit::{AuditEnd, AuditError, verify as verify_audit_log};
pub use tokens::TokensError;

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
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

    /// The name that the token table and the audit log use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Clerk => "clerk",
            Self::Admin => "admin",
            Self::Worker => "worker",
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

/// How callers are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// The token table; without one everybody is admin of the tenant `default`.
    pub tokens_file: Option<PathBuf>,
    /// The audit log.
    pub audit_file: Option<PathBuf>,
    /// Whether workers have to show a certificate that the server's client CA signed, beside their token.
    pub workers_show_certificates: bool,
}

/// Why access can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The token table can't be used.
    #[error("tokens file {}: {source}", file.display())]
    Tokens {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: TokensError,
    },
    /// The audit log can't be trusted or written.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Tells callers apart. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    tokens: Option<Followed<TokenTable>>,
    audit: Option<AuditLog>,
    workers_show_certificates: bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Access {
    /// Access as configured; the token table is followed from now on.
    pub fn new(config: AccessConfig) -> Result<Self, AccessError> {
        let tokens = config.tokens_file.map(|file| {
            let path = file.clone();
            Followed::read(vec![file.clone()], move || TokenTable::read(&path))
                .map_err(|source| AccessError::Tokens { file, source })
        });
        Ok(Self(Arc::new(Inner {
            tokens: tokens.transpose()?,
            audit: config.audit_file.as_deref().map(AuditLog::open).transpose()?,
            workers_show_certificates: config.workers_show_certificates,
        })))
    }

    /// Everybody is admin of the tenant `default`: for a coordinator that only this machine can reach.
    #[must_use]
    pub fn open() -> Self {
        Self(Arc::new(Inner { tokens: None, audit: None, workers_show_certificates: false }))
    }

    /// Whether everybody is let in; a coordinator with such an access listens on the loopback interface alone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.tokens.is_none()
    }

    /// Who sent `request`, if it has the RPC's right; entered in the audit log before it is answered.
    pub(crate) fn caller<R: Rpc>(&self, request: &Request<R>) -> Result<Caller, Status> {
        let caller = self.identify(request)?;
        let certified = R::RIGHT != Right::Work || !self.0.workers_show_certificates || is_certified(request);
        let admitted = caller.role.has(R::RIGHT) && certified;
        if R::ENTERED {
            self.enter(&caller, request.get_ref(), admitted)?;
        }
        if admitted {
            return Ok(caller);
        }
        Err(Status::permission_denied(if certified {
            "this needs another role: ask your admin"
        } else {
            "workers show a certificate here: see PAGEMILL_TLS_CERT_FILE"
        }))
    }

    /// Lets in whoever asks how many workers are wanted: KEDA has no token, but a certificate where one is asked for.
    pub(crate) fn scaler<T>(&self, request: &Request<T>) -> Result<(), Status> {
        if self.is_open() || is_certified(request) {
            return Ok(());
        }
        let caller = self.identify(request)?;
        if caller.role.has(Right::View) {
            return Ok(());
        }
        Err(Status::permission_denied("this needs another role: ask your admin"))
    }

    fn identify<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let Some(tokens) = &self.0.tokens else { return Ok(anybody()) };
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = given.and_then(|value| value.strip_prefix("Bearer "));
        let holder = token.and_then(|token| tokens.get().holder(token).cloned());
        holder
            .ok_or_else(|| Status::unauthenticated("a token is needed, and this is none that is known here"))
    }

    fn enter<R: Rpc>(&self, caller: &Caller, request: &R, admitted: bool) -> Result<(), Status> {
        let Some(audit) = &self.0.audit else { return Ok(()) };
        let about: String = request.about().chars().take(ABOUT_LETTERS_MAX).collect();
        let entry = Entry {
            unix_ms: now_unix_ms(),
            caller: &caller.name,
            tenant: &caller.tenant,
            role: caller.role.name(),
            rpc: R::NAME,
            job: request.job(),
            about: &about,
            admitted,
        };
        audit.enter(&entry).map_err(|error| {
            tracing::error!(%error, "the audit log can't be written: requests that it has to hold are refused");
            Status::unavailable("this coordinator can't write its audit log")
        })
    }
}

/// Letters of what an entry is about.
const ABOUT_LETTERS_MAX: usize = 1_000;

fn anybody() -> Caller {
    let tenant = pagemill_domain::job::TENANT_DEFAULT.into();
    Caller { name: "anybody".into(), tenant, role: Role::Admin }
}

/// Whether the connection came with a certificate; the handshake has checked that our client CA signed it.
fn is_certified<T>(request: &Request<T>) -> bool {
    request.peer_certs().is_some_and(|certificates| !certificates.is_empty())
}

/// Now, in milliseconds since 1970.
fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pagemill_domain::hash::ContentHash;
    use pagemill_proto::v1;
    use tonic::Code;

    use super::*;

    fn access(folder: &std::path::Path) -> Access {
        let entry = |name: &str, role: &str| {
            let hash = ContentHash::of(format!("token of {name}").as_bytes());
            format!("[[token]]\nname=\"{name}\"\ntenant=\"a\"\nrole=\"{role}\"\nsha256=\"{hash}\"\n")
        };
        let tokens_file = folder.join("tokens.toml");
        fs::write(&tokens_file, entry("vi", "viewer") + &entry("op", "operator")).unwrap();
        let audit_file = Some(folder.join("audit.jsonl"));
        let workers_show_certificates = true;
        Access::new(AccessConfig { tokens_file: Some(tokens_file), audit_file, workers_show_certificates })
            .unwrap()
    }

    fn request<R>(message: R, token: &str) -> Request<R> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    }

    #[test]
    fn callers_are_told_apart_and_what_they_ask_is_entered() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        let cancel = v1::CancelRequest { job: 12 };
        let caller = access.caller(&request(cancel, "Bearer token of op")).unwrap();
        assert_eq!((caller.name.as_str(), caller.tenant.as_str()), ("op", "a"));
        let denied = access.caller(&request(cancel, "Bearer token of vi")).unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        for unknown in ["Bearer token of nobody", "token of op", "Bearer ", "Basic token of op"] {
            assert_eq!(access.caller(&request(cancel, unknown)).unwrap_err().code(), Code::Unauthenticated);
        }
        let nothing = access.caller(&Request::new(cancel)).unwrap_err();
        assert_eq!(nothing.code(), Code::Unauthenticated);
        assert!(access.caller(&request(v1::GetJobRequest { job: 12 }, "Bearer token of vi")).is_ok());

        let log = fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 2, "{log}");
        assert!(
            lines[0].contains(r#""caller":"op","tenant":"a","role":"operator","rpc":"Jobs/Cancel","job":12"#)
        );
        assert!(lines[1].contains(r#""caller":"vi""#) && lines[1].contains(r#""admitted":false"#));
        assert!(!log.contains("token of"), "a token is in the log");
        assert_eq!(verify_audit_log(&folder.path().join("audit.jsonl")).unwrap().entries, 2);
    }

    #[test]
    fn without_a_table_everybody_is_admin() {
        let caller = Access::open().caller(&Request::new(v1::DrainRequest::default())).unwrap();
        assert_eq!((caller.role, caller.tenant.as_str()), (Role::Admin, "default"));
    }

    #[test]
    fn keda_needs_a_certificate_or_a_viewer() {
        let folder = tempfile::tempdir().unwrap();
        let access = access(folder.path());
        assert_eq!(access.scaler(&Request::new(())).unwrap_err().code(), Code::Unauthenticated);
        assert!(access.scaler(&request((), "Bearer token of vi")).is_ok());
        assert!(Access::open().scaler(&Request::new(())).is_ok());
    }
}
