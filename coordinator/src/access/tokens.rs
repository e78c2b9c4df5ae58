//! The token table: who holds which token. The file has hashes only, so that whoever reads it can't call.
//!
//! ```toml
//! [[token]]
//! name = "night-shift"
//! tenant = "archive"
//! role = "operator"                # viewer, operator, clerk, admin, worker
//! sha256 = "9f86d081…"             # of the token: printf %s "$TOKEN" | sha256sum
//! ```

use std::collections::{HashMap, HashSet};
use std::path::Path;

use pagemill_domain::hash::ContentHash;
use serde::Deserialize;

use super::{Caller, Role};

/// Tokens of a table.
const TOKENS_MAX: usize = 10_000;

/// Bytes of the file.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// Bytes of a name, and of a tenant.
const NAME_BYTES_MAX: usize = 100;

/// Callers by the hash of their token.
#[derive(Debug, Default)]
pub(crate) struct TokenTable(HashMap<ContentHash, Caller>);

/// Why a token table can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file can't be read.
    #[error("read: {0}")]
    Read(#[from] std::io::Error),
    /// It is not such a table.
    #[error("{0}")]
    Syntax(String),
    /// An entry can't be.
    #[error("token {name}: {why}")]
    Entry {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There are too many, or it is too large.
    #[error("has more than {TOKENS_MAX} tokens or {FILE_BYTES_MAX} bytes")]
    TooLarge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    tenant: String,
    role: Role,
    sha256: ContentHash,
}

impl TokenTable {
    /// The table in that file.
    pub(crate) fn read(file: &Path) -> Result<Self, TokensError> {
        if file.metadata()?.len() > FILE_BYTES_MAX {
            return Err(TokensError::TooLarge);
        }
        Self::parse(&std::fs::read_to_string(file)?)
    }

    fn parse(text: &str) -> Result<Self, TokensError> {
        // The message quotes the line, and a line could hold what was meant to be a hash.
        let file: File =
            toml::from_str(text).map_err(|error| TokensError::Syntax(error.message().to_owned()))?;
        if file.token.len() > TOKENS_MAX {
            return Err(TokensError::TooLarge);
        }
        let (mut callers, mut names) = (HashMap::new(), HashSet::new());
        for Entry { name, tenant, role, sha256 } in file.token {
            let wrong = |why| TokensError::Entry { name: name.clone(), why };
            if !is_name(&name) || !is_name(&tenant) {
                return Err(wrong("name and tenant are 1 to 100 letters, digits, '-', '_' or '.'"));
            }
            if sha256 == ContentHash::of(b"") {
                return Err(wrong("this is the hash of nothing"));
            }
            if !names.insert(name.clone()) {
                return Err(wrong("another one has this name"));
            }
            let caller = Caller { name: name.clone(), tenant, role };
            if callers.insert(sha256, caller).is_some() {
                return Err(wrong("another one has this hash"));
            }
        }
        Ok(Self(callers))
    }

    /// Who holds `token`. It is looked up by its hash, so the time that takes tells nothing of other tokens.
    pub(crate) fn holder(&self, token: &str) -> Option<&Caller> {
        self.0.get(&ContentHash::of(token.as_bytes()))
    }
}

fn is_name(name: &str) -> bool {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    letters && (1..=NAME_BYTES_MAX).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, token: &str) -> String {
        let hash = ContentHash::of(token.as_bytes());
        format!("[[token]]\nname = \"{name}\"\ntenant = \"a\"\nrole = \"viewer\"\nsha256 = \"{hash}\"\n")
    }

    #[test]
    fn a_token_finds_its_holder_and_nobody_else() {
        let table = TokenTable::parse(&(entry("one", "first") + &entry("two", "second"))).unwrap();
        assert_eq!(table.holder("second").unwrap().name, "two");
        assert_eq!(table.holder("first").unwrap().role, Role::Viewer);
        for wrong in ["", "First", "first ", "third"] {
            assert!(table.holder(wrong).is_none(), "{wrong:?}");
        }
        // The hash itself is no token.
        assert!(table.holder(&ContentHash::of(b"first").to_string()).is_none());
    }

    #[test]
    fn a_table_that_means_nothing_is_refused() {
        let twice = entry("one", "x") + &entry("one", "y");
        let shared = entry("one", "x") + &entry("two", "x");
        let empty = entry("one", "");
        let name = entry("a b", "x");
        let role = entry("one", "x").replace("viewer", "root");
        let key = entry("one", "x") + "admin = true\n";
        let hash = entry("one", "x").replace("sha256 = \"", "sha256 = \"zz");
        for table in [twice, shared, empty, name, role, key, hash] {
            assert!(TokenTable::parse(&table).is_err(), "{table}");
        }
        // Nobody is let in by nothing; that is what an empty table means.
        assert!(TokenTable::parse("").unwrap().holder("").is_none());
    }
}
