//! The page tree (ISO 32000-1 § 7.7.3): which pages a file declares, and which of them it holds.

use std::collections::{HashMap, HashSet};

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier};
use pagemill_domain::limits::Limits;
use pagemill_domain::scan::Rejection;

/// Depth of the tree; producers stay below ten.
const DEPTH_MAX: usize = 64;

/// For each declared page, its index among those that hayro found. Hayro leaves out what it can't resolve, so the tree is
/// walked again for the gaps; a root that declares more than its tree names has its gaps at the end.
pub(super) fn pages(pdf: &Pdf, limits: &Limits) -> Result<Vec<Option<usize>>, Rejection> {
    let held = pdf.pages().len();
    let catalog = pdf.xref().get::<Dict>(pdf.xref().root_id());
    let tree = catalog.as_ref().and_then(|catalog| catalog.get::<Dict>("Pages"));
    let declared = tree.as_ref().and_then(|tree| tree.get::<i32>("Count")).unwrap_or(0).max(0) as usize;
    let mut walk = Walk::default();
    walk.nodes.extend(catalog.and_then(|catalog| catalog.get_ref("Pages")).map(ObjectIdentifier::from));
    if let Some(tree) = tree {
        walk.node(pdf, &tree, 0, limits.pages_per_source_max as usize);
    }
    // Where the walk disagrees with hayro (which repairs trees in ways of its own), hayro's order stands.
    let mut pages = if walk.held == held { walk.leaves } else { (0..held).map(Some).collect() };
    let total = pages.len().max(declared);
    if total > limits.pages_per_source_max as usize {
        return Err(Rejection::TooManyPages { pages: total as u64 });
    }
    pages.resize(total, None);
    if pages.iter().all(Option::is_none) {
        return Err(Rejection::Damaged("PDF: no pages can be found".into()));
    }
    Ok(pages)
}

#[derive(Default)]
struct Walk {
    leaves: Vec<Option<usize>>,
    held: usize,
    nodes: HashSet<ObjectIdentifier>,
    /// Pages by their object: a page that is named twice is held once.
    known: HashMap<ObjectIdentifier, usize>,
}

impl Walk {
    /// Adds the leaves below a node; stops beyond `pages_max`, which is refused later.
    fn node(&mut self, pdf: &Pdf, node: &Dict, depth: usize, pages_max: usize) {
        let Some(kids) = node.get::<Array>("Kids").filter(|_| depth < DEPTH_MAX) else { return };
        for kid in kids.raw_iter() {
            if self.leaves.len() > pages_max {
                return;
            }
            let id = kid.as_obj_ref().map(ObjectIdentifier::from);
            let kid = match kid {
                MaybeRef::Ref(reference) => pdf.xref().get::<Dict>(reference.into()),
                MaybeRef::NotRef(object) => Object::into_dict(object),
            };
            match kid {
                Some(kid) if kid.get::<Name>("Type").is_some_and(|name| &*name == b"Pages") => {
                    if id.is_none_or(|id| self.nodes.insert(id)) {
                        self.node(pdf, &kid, depth + 1, pages_max);
                    }
                }
                Some(_) => self.leaf(id),
                None => self.leaves.push(None),
            }
        }
    }

    fn leaf(&mut self, id: Option<ObjectIdentifier>) {
        let index = id.and_then(|id| self.known.get(&id).copied()).unwrap_or_else(|| {
            self.held += 1;
            self.held - 1
        });
        if let Some(id) = id {
            self.known.insert(id, index);
        }
        self.leaves.push(Some(index));
    }
}
