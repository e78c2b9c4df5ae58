//! The table of rights: what each RPC needs, whether it is entered in the audit log, and what it is about.
//!
//! An RPC that is not in here can't be served: its handler asks with its request, which has to be an [`Rpc`].

use pagemill_proto::v1;
use tonic::Streaming;

use super::Right;

/// A request of an RPC.
pub(crate) trait Rpc {
    /// `Service/Method`.
    const NAME: &'static str;
    /// What the caller needs.
    const RIGHT: Right;
    /// Whether it is entered. Looking how jobs and workers stand is not: it is what every open screen does each second.
    const ENTERED: bool;

    /// The job that it is about; 0 where none.
    fn job(&self) -> i64 {
        0
    }

    /// What else it is about.
    fn about(&self) -> String {
        String::new()
    }
}

macro_rules! rpcs {
    ($($request:ty: $name:literal, $right:ident, $entered:literal $(, job $job:expr)? $(, about $about:expr)?;)*) => {
        $(impl Rpc for $request {
            const NAME: &'static str = $name;
            const RIGHT: Right = Right::$right;
            const ENTERED: bool = $entered;
            $(fn job(&self) -> i64 {
                let job: fn(&Self) -> i64 = $job;
                job(self)
            })?
            $(fn about(&self) -> String {
                let about: fn(&Self) -> String = $about;
                about(self)
            })?
        })*

        /// Every RPC with what it needs.
        #[cfg(test)]
        pub(crate) const RPCS: &[(&str, Right)] = &[$(($name, Right::$right)),*];
    };
}

rpcs! {
    v1::OpenRequest: "Jobs/Open", Operate, true, about |r| r.key.clone();
    v1::AddSourcesRequest: "Jobs/AddSources", Operate, true, job |r| r.job, about |r| format!("{} sources", r.sources.len());
    v1::SealRequest: "Jobs/Seal", Operate, true, job |r| r.job;
    v1::GetJobRequest: "Jobs/Get", View, false, job |r| r.job;
    v1::ListJobsRequest: "Jobs/List", View, false;
    v1::WatchRequest: "Jobs/Watch", View, false, job |r| r.job;
    v1::CancelRequest: "Jobs/Cancel", Operate, true, job |r| r.job;
    v1::ListPagesRequest: "Jobs/ListPages", View, true, job |r| r.job;
    v1::GetPageTextRequest: "Jobs/GetPageText", View, true, job |r| r.job, about |r| page(r.page.as_ref());
    v1::ListDeadLettersRequest: "Jobs/ListDeadLetters", View, true, job |r| r.job;
    v1::RedriveRequest: "Jobs/Redrive", Operate, true, job |r| r.job, about |r| pages(&r.pages);
    v1::GetReportRequest: "Jobs/GetReport", View, true, job |r| r.job;
    v1::MissingRequest: "Sources/Missing", Operate, false;
    Streaming<v1::UploadRequest>: "Sources/Upload", Operate, true;
    v1::ListArtifactsRequest: "Artifacts/List", View, true, job |r| r.job;
    v1::FetchRequest: "Artifacts/Fetch", View, true, job |r| r.job, about |r| r.name.clone();
    Streaming<v1::SessionRequest>: "Workers/Session", Work, true;
    v1::ListWorkersRequest: "Workers/List", View, false;
    v1::CordonRequest: "Workers/Cordon", Administer, true, about |r| r.worker.clone();
    v1::DrainRequest: "Workers/Drain", Administer, true, about |r| r.worker.clone();
    v1::QueueRequest: "Workers/Queue", View, false;
}

/// A page as `source/number`.
fn page(page: Option<&v1::PageId>) -> String {
    page.map(|page| format!("{}/{}", page.source, page.number)).unwrap_or_default()
}

/// Pages named in full; more are only counted.
const PAGES_NAMED_MAX: usize = 20;

fn pages(pages: &[v1::PageId]) -> String {
    if pages.is_empty() {
        return "everything dead or rejected".into();
    }
    if pages.len() > PAGES_NAMED_MAX {
        return format!("{} pages", pages.len());
    }
    pages.iter().map(|id| page(Some(id))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::access::Role;

    /// The RPCs of the definitions: `Jobs/Open`, ….
    fn defined() -> BTreeSet<String> {
        let mut defined = BTreeSet::new();
        for file in ["jobs", "sources", "artifacts", "workers"] {
            let path = format!("{}/../proto/pagemill/v1/{file}.proto", env!("CARGO_MANIFEST_DIR"));
            let mut service = String::new();
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let mut words = line.split([' ', '(']).filter(|word| !word.is_empty());
                match (words.next(), words.next()) {
                    (Some("service"), Some(name)) => service = name.to_owned(),
                    (Some("rpc"), Some(method)) => drop(defined.insert(format!("{service}/{method}"))),
                    _ => {}
                }
            }
        }
        defined
    }

    #[test]
    fn every_rpc_has_its_right() {
        let named: BTreeSet<String> = RPCS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(named, defined());
        assert_eq!(named.len(), RPCS.len());
    }

    #[test]
    fn a_role_has_no_more_than_it_needs() {
        let allowed = |role: Role| -> Vec<&str> {
            RPCS.iter().filter(|(_, right)| role.has(*right)).map(|(name, _)| *name).collect()
        };
        assert_eq!(allowed(Role::Worker), ["Workers/Session"]);
        assert_eq!(allowed(Role::Admin).len(), RPCS.len());
        let changes = [
            "Jobs/Open",
            "Jobs/Cancel",
            "Jobs/Redrive",
            "Sources/Upload",
            "Workers/Drain",
            "Workers/Session",
        ];
        for role in [Role::Viewer, Role::Clerk] {
            assert!(allowed(role).iter().all(|rpc| !changes.contains(rpc)), "{role:?}");
        }
        let operator = allowed(Role::Operator);
        assert!(operator.contains(&"Jobs/Open") && !operator.contains(&"Workers/Drain"));
    }

    #[test]
    fn an_entry_names_what_it_is_about() {
        let id = |number| v1::PageId { source: 7, number };
        assert_eq!(pages(&[]), "everything dead or rejected");
        assert_eq!(pages(&[id(1), id(0)]), "7/1 7/0");
        assert_eq!(pages(&(0..100).map(id).collect::<Vec<_>>()), "100 pages");
        let fetch = v1::FetchRequest { job: 3, name: "a/b.pdf".into(), offset: 0 };
        assert_eq!((fetch.job(), fetch.about()), (3, "a/b.pdf".to_owned()));
    }
}
