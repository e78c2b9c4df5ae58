//! What blobs are called in a store of objects: content addresses, of sources one for each tenant.

use std::fmt;

use object_store::path::Path;
use pagemill_domain::hash::ContentHash;

use super::BlobError;

/// Bytes of a tenant's name: it is a part of keys, as file systems and DNS allow them.
pub const TENANT_BYTES_MAX: usize = 63;

/// A blob of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlobName {
    /// An uploaded source; each tenant has its own.
    Source {
        /// Whose upload.
        tenant: String,
        /// What it hashes to.
        hash: ContentHash,
    },
    /// A shard's result object.
    Result(ContentHash),
    /// A deliverable.
    Artifact(ContentHash),
}

impl BlobName {
    /// A tenant's source; the tenant's name must be able to stand in a key.
    pub(super) fn source(tenant: &str, hash: ContentHash) -> Result<Self, BlobError> {
        if is_tenant_name(tenant) {
            Ok(Self::Source { tenant: tenant.into(), hash })
        } else {
            Err(BlobError::BadTenant(tenant.into()))
        }
    }

    /// What the blob's bytes hash to.
    #[must_use]
    pub const fn hash(&self) -> ContentHash {
        match self {
            Self::Source { hash, .. } | Self::Result(hash) | Self::Artifact(hash) => *hash,
        }
    }

    /// The key, below the prefix of the store. Two levels, so that no folder holds millions of entries.
    pub(super) fn key(&self) -> Path {
        let hash = self.hash().to_string();
        let folder = &hash[..2];
        Path::from(match self {
            Self::Source { tenant, .. } => format!("sources/{tenant}/{folder}/{hash}"),
            Self::Result(_) => format!("results/{folder}/{hash}"),
            Self::Artifact(_) => format!("artifacts/{folder}/{hash}"),
        })
    }

    /// The blob at a key; `None` for what no Pagemill put there.
    pub(super) fn at(key: &Path) -> Option<Self> {
        let parts: Vec<&str> = key.as_ref().split('/').collect();
        let name = match parts[..] {
            ["sources", tenant, _, hash] => Self::source(tenant, hash.parse().ok()?).ok()?,
            ["results", _, hash] => Self::Result(hash.parse().ok()?),
            ["artifacts", _, hash] => Self::Artifact(hash.parse().ok()?),
            _ => return None,
        };
        (name.key() == *key).then_some(name)
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { hash, .. } => write!(f, "source {hash}"),
            Self::Result(hash) => write!(f, "result {hash}"),
            Self::Artifact(hash) => write!(f, "artifact {hash}"),
        }
    }
}

/// Whether a name can stand in a key: letters, digits, `-`, `_` and `.` of ASCII, the first a letter or digit, at most
/// [`TENANT_BYTES_MAX`].
#[must_use]
pub fn is_tenant_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= TENANT_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_blob_that_it_was_made_of() {
        let hash = ContentHash::of(b"x");
        let source = BlobName::source("archive-1", hash).unwrap();
        for name in [source, BlobName::Result(hash), BlobName::Artifact(hash)] {
            assert_eq!(BlobName::at(&name.key()), Some(name));
        }
        let misplaced = format!("results/00/{hash}");
        for key in ["results", "results/ab/short", "other/ab/cd", misplaced.as_str()] {
            assert_eq!(BlobName::at(&Path::from(key)), None, "{key}");
        }
    }

    #[test]
    fn no_tenant_reaches_into_another_key() {
        for name in ["", "..", ".x", "a/b", "a b", "é", "a%2fb", &"a".repeat(64)] {
            assert!(
                matches!(BlobName::source(name, ContentHash::of(b"")), Err(BlobError::BadTenant(_))),
                "{name:?}"
            );
        }
        for name in ["default", "A", "0.b_c-d", &"a".repeat(63)] {
            assert!(is_tenant_name(name), "{name:?}");
        }
    }
}
