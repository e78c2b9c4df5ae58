//! Digital signatures (ISO 32000-1 § 12.8).

use std::collections::HashSet;

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier};

/// Form fields that are looked at; a form with more and no signature among the first is taken for unsigned by its
/// fields.
const FIELDS_MAX: usize = 10_000;

/// Depth of the field tree.
const DEPTH_MAX: usize = 32;

/// Whether a signature field has a value, the catalog grants permissions by a signature, or a signature dictionary's
/// `/ByteRange` stands anywhere in the file (a signature has to be outside of compressed streams).
pub(super) fn is_signed(pdf: &Pdf) -> bool {
    let Some(catalog) = pdf.xref().get::<Dict>(pdf.xref().root_id()) else { return false };
    if catalog.get::<Dict>("Perms").is_some_and(|permissions| !permissions.is_empty()) {
        return true;
    }
    let fields = catalog.get::<Dict>("AcroForm").and_then(|form| form.get::<Array>("Fields"));
    let by_field = fields.is_some_and(|fields| Fields::default().are_signed(pdf, &fields, false, 0));
    by_field || memchr::memmem::find(pdf.data().as_ref(), b"/ByteRange").is_some()
}

#[derive(Default)]
struct Fields {
    seen: HashSet<ObjectIdentifier>,
    count: usize,
}

impl Fields {
    /// `inherited` says whether a parent makes these signature fields.
    fn are_signed(&mut self, pdf: &Pdf, fields: &Array, inherited: bool, depth: usize) -> bool {
        fields.raw_iter().any(|field| {
            self.count += 1;
            if self.count > FIELDS_MAX || depth > DEPTH_MAX {
                return false;
            }
            let field = match field {
                MaybeRef::Ref(reference) if !self.seen.insert(reference.into()) => None,
                MaybeRef::Ref(reference) => pdf.xref().get::<Dict>(reference.into()),
                MaybeRef::NotRef(object) => Object::into_dict(object),
            };
            let Some(field) = field else { return false };
            let is_signature = field.get::<Name>("FT").map_or(inherited, |kind| &*kind == b"Sig");
            (is_signature && field.get::<Dict>("V").is_some())
                || field
                    .get::<Array>("Kids")
                    .is_some_and(|kids| self.are_signed(pdf, &kids, is_signature, depth + 1))
        })
    }
}
