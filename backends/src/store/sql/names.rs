//! Names of documents: each owner's first stem that nobody has, in the order of submission, given once.

use std::collections::{BTreeMap, HashSet};

use pagemill_domain::ids::JobId;
use pagemill_domain::naming::{Stem, folder_stems, source_stems};

use super::super::dialect::Connection;
use super::statement::{rows, statement};
use crate::store::{NewSource, StoreError};

/// Stems of an owner that are looked up together with everybody's; few owners need more.
const STEMS_LOOKED_UP_AT_ONCE: usize = 2;

/// The names of each source's own document and of its folder's, in the order of `sources`.
pub(super) async fn give(
    db: &mut Connection,
    job: JobId,
    sources: &[&NewSource],
) -> Result<Vec<(String, String)>, StoreError> {
    let owners: Vec<Owner> = sources
        .iter()
        .flat_map(|source| [Owner::Source(source.path.clone()), Owner::Folder(source.folder.clone())])
        .collect();
    let mut names = known_names(db, job, &owners).await?;
    let nameless: Vec<&Owner> = owners.iter().filter(|owner| !names.contains_key(&owner.key())).collect();
    let mut taken = taken_among_first_stems(db, job, &nameless).await?;
    let mut given = Vec::new();
    for owner in nameless {
        if names.contains_key(&owner.key()) {
            continue;
        }
        let stem = first_free(db, job, owner, &mut taken).await?;
        given.push((owner.key(), stem.key(), stem.as_str().to_owned()));
        names.insert(owner.key(), stem.as_str().to_owned());
    }
    record(db, job, &given).await?;
    let name_of = |owner: &Owner| names.get(&owner.key()).cloned().unwrap_or_default();
    Ok(owners.chunks_exact(2).map(|pair| (name_of(&pair[0]), name_of(&pair[1]))).collect())
}

enum Owner {
    Source(String),
    Folder(String),
}

impl Owner {
    fn key(&self) -> String {
        match self {
            Self::Source(path) => format!("source:{path}"),
            Self::Folder(path) => format!("folder:{path}"),
        }
    }

    fn stems(&self) -> Box<dyn Iterator<Item = Stem> + Send> {
        match self {
            Self::Source(path) => Box::new(source_stems(path)),
            Self::Folder(path) => Box::new(folder_stems(path)),
        }
    }
}

async fn known_names(
    db: &mut Connection,
    job: JobId,
    owners: &[Owner],
) -> Result<BTreeMap<String, String>, StoreError> {
    let keys: Vec<(String,)> = owners.iter().map(|owner| (owner.key(),)).collect();
    let select = "SELECT owner, name FROM name WHERE job = $1 AND owner IN texts($2)";
    let known: Vec<(String, String)> =
        statement("find names", select).bind(job.0).bind(rows(&keys)?).all(db).await?;
    Ok(known.into_iter().collect())
}

async fn taken_among_first_stems(
    db: &mut Connection,
    job: JobId,
    owners: &[&Owner],
) -> Result<HashSet<String>, StoreError> {
    let stems = owners.iter().flat_map(|owner| owner.stems().take(STEMS_LOOKED_UP_AT_ONCE));
    let keys: Vec<(String,)> = stems.map(|stem| (stem.key(),)).collect();
    let select = "SELECT folded FROM name WHERE job = $1 AND folded IN texts($2)";
    let taken: Vec<(String,)> =
        statement("find taken names", select).bind(job.0).bind(rows(&keys)?).all(db).await?;
    Ok(taken.into_iter().map(|(folded,)| folded).collect())
}

/// `taken` holds what is taken of each owner's first stems, and what was given since.
async fn first_free(
    db: &mut Connection,
    job: JobId,
    owner: &Owner,
    taken: &mut HashSet<String>,
) -> Result<Stem, StoreError> {
    for (place, stem) in owner.stems().enumerate() {
        let key = stem.key();
        let is_taken =
            taken.contains(&key) || (place >= STEMS_LOOKED_UP_AT_ONCE && is_recorded(db, job, &key).await?);
        if !is_taken {
            taken.insert(key);
            return Ok(stem);
        }
    }
    Err(StoreError::Unreadable { what: "a free name", found: owner.key() })
}

async fn is_recorded(db: &mut Connection, job: JobId, folded: &str) -> Result<bool, StoreError> {
    let select = "SELECT job FROM name WHERE job = $1 AND folded = $2";
    let found: Option<(i64,)> =
        statement("find a taken name", select).bind(job.0).bind(folded).optional(db).await?;
    Ok(found.is_some())
}

async fn record(
    db: &mut Connection,
    job: JobId,
    given: &[(String, String, String)],
) -> Result<(), StoreError> {
    let insert = "INSERT INTO name (job, owner, folded, name)
        SELECT $2, value ->> 0, value ->> 1, value ->> 2 FROM rows($1)";
    statement("give names", insert).bind(rows(given)?).bind(job.0).run(db).await?;
    Ok(())
}
