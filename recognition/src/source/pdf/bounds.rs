//! Streams are measured before hayro inflates them: it has no limit of its own, and a few kilobytes may hold gigabytes.

use std::collections::HashMap;
use std::io::Read;

use hayro_interpret::hayro_syntax::Filter;
use hayro_interpret::hayro_syntax::object::dict::keys;
use hayro_interpret::hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier, Stream};
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::hayro_syntax::xref::XRef;
use pagemill_domain::limits::Limits;
use pagemill_domain::scan::PageDefect;

use super::payload::last_filter;
use super::{jbig2, jpx};

/// Objects below one page's resources that are looked at; beyond it the page is refused.
pub(super) const OBJECTS_PER_PAGE_MAX: usize = 50_000;

/// Nesting of one page's resources.
pub(super) const DEPTH_MAX: usize = 100;

/// Columns of a fax image that does not say (ISO 32000-1 table 11).
pub(super) const FAX_COLUMNS: u32 = 1_728;

/// What was measured so far, for all pages: they share their fonts and forms.
pub(super) struct Bounds {
    /// Bytes that one stream may hold when inflated: three for each pixel that a page may have.
    stream_bytes_max: u64,
    /// Bytes that a stream may hold that can only be estimated: half of what the child may map.
    estimated_bytes_max: u64,
    pixels_max: u64,
    measured: HashMap<(ObjectIdentifier, Scope), bool>,
}

/// What is about to be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    /// Content, forms, fonts, functions: all that a page is painted with but its images.
    Painting,
    /// Its images, too.
    Images,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            stream_bytes_max: limits.pixels_per_page_max.saturating_mul(3),
            estimated_bytes_max: limits.child_memory_mib_max.saturating_mul(1 << 19),
            pixels_max: limits.pixels_per_page_max,
            measured: HashMap::new(),
        }
    }

    /// Before a page's content is interpreted.
    pub(super) fn check_painting(&mut self, page: &Page<'_>) -> Result<(), PageDefect> {
        self.check(page, Scope::Painting)
    }

    /// Before a page's images are decoded.
    pub(super) fn check_images(&mut self, page: &Page<'_>) -> Result<(), PageDefect> {
        self.check(page, Scope::Images)
    }

    fn check(&mut self, page: &Page<'_>, scope: Scope) -> Result<(), PageDefect> {
        let mut walk = Walk { bounds: self, xref: page.xref(), scope, objects: 0 };
        let is_safe = painted_with(page).all(|object| walk.object(object, 0));
        if is_safe { Ok(()) } else { Err(too_large()) }
    }

    fn is_stream_safe(&self, stream: &Stream<'_>, scope: Scope) -> bool {
        let dict = stream.dict();
        let is_image = dict.get::<Name>("Subtype").is_some_and(|subtype| &*subtype == b"Image");
        if is_image {
            let side = |key: &str| u64::from(dict.get::<u32>(key).unwrap_or(0));
            if side("Width").saturating_mul(side("Height")) > self.pixels_max {
                return false;
            }
            if scope == Scope::Painting {
                return true;
            }
        }
        self.is_inflation_safe(stream) && (!is_image || self.is_coding_safe(stream))
    }

    /// Whether an image that stands in the content itself may be decoded.
    pub(super) fn is_inline_image_safe(&self, stream: &Stream<'_>) -> bool {
        self.is_inflation_safe(stream) && self.is_coding_safe(stream)
    }

    /// Codings have sizes of their own, and hayro makes room for those. (Of JPEG it takes the dictionary's.)
    fn is_coding_safe(&self, stream: &Stream<'_>) -> bool {
        let Some((filter, parameters)) = last_filter(stream) else { return true };
        let dict = stream.dict();
        let side =
            |key: &[u8], short: &[u8]| dict.get::<u32>(key).or_else(|| dict.get::<u32>(short)).unwrap_or(0);
        let pixels = match filter {
            Filter::CcittFaxDecode => {
                // Cut off to 32 bits, as hayro does.
                let columns =
                    parameters.get::<usize>("Columns").map_or(FAX_COLUMNS, |columns| columns as u32);
                let rows = parameters.get::<u32>("Rows").unwrap_or(0).max(side(keys::HEIGHT, b"H"));
                u64::from(columns).saturating_mul(u64::from(rows))
            }
            Filter::Jbig2Decode => jbig2::coded_pixels(&stream.raw_data()),
            Filter::JpxDecode => jpx::coded_pixels(&stream.raw_data()),
            _ => u64::from(side(keys::WIDTH, b"W")).saturating_mul(u64::from(side(keys::HEIGHT, b"H"))),
        };
        pixels <= self.pixels_max
    }

    fn is_inflation_safe(&self, stream: &Stream<'_>) -> bool {
        let filters = stream.filters();
        let raw = stream.raw_data();
        let estimate = filters
            .iter()
            .fold(raw.len() as u64, |bytes, filter| bytes.saturating_mul(expansion_max(*filter)));
        if estimate <= self.stream_bytes_max {
            return true;
        }
        match filters.as_slice() {
            [Filter::FlateDecode] => inflated_bytes(&raw, self.stream_bytes_max) <= self.stream_bytes_max,
            [Filter::LzwDecode] => unpacked_bytes(&raw, self.stream_bytes_max) <= self.stream_bytes_max,
            _ => estimate <= self.estimated_bytes_max,
        }
    }
}

/// What a page is painted with: its content, its resources, the appearances of its annotations.
pub(super) fn painted_with<'a>(page: &Page<'a>) -> impl Iterator<Item = Object<'a>> + use<'a> {
    let resources = page.resources();
    let resources = [
        &resources.x_objects,
        &resources.fonts,
        &resources.patterns,
        &resources.color_spaces,
        &resources.shadings,
        &resources.ext_g_states,
    ]
    .map(|dict| Object::Dict(dict.clone()));
    let annotations = page.raw().get::<Array>("Annots").unwrap_or_default();
    let appearances: Vec<Dict> =
        annotations.iter::<Dict>().filter_map(|annotation| annotation.get("AP")).collect();
    let contents = page.raw().get::<Object>("Contents");
    contents.into_iter().chain(resources).chain(appearances.into_iter().map(Object::Dict))
}

/// The entries of a dictionary that painting may read: not those that lead away from the page.
pub(super) fn painting_entries<'a>(dict: &Dict<'a>) -> impl Iterator<Item = MaybeRef<Object<'a>>> {
    const ELSEWHERE: [&[u8]; 6] = [b"Parent", b"P", b"Dest", b"Metadata", b"StructParents", b"PieceInfo"];
    dict.entries().filter(|(key, _)| !ELSEWHERE.contains(&key.as_ref())).map(|(_, value)| value)
}

/// The defect of a page that asks for too much.
pub(super) fn too_large() -> PageDefect {
    PageDefect::Damaged("PDF: a stream or an image is larger than a page may be".into())
}

/// How many bytes a filter makes of one at most. Image filters count as one: their sizes stand in their headers.
fn expansion_max(filter: Filter) -> u64 {
    match filter {
        // The longest match, 258 bytes, in the shortest codes, 2 bits.
        Filter::FlateDecode => 1_032,
        // The longest entry, 4,096 bytes, in 12 bits.
        Filter::LzwDecode => 2_731,
        // 128 bytes in 2.
        Filter::RunLengthDecode => 64,
        _ => 1,
    }
}

/// Bytes that a zlib stream holds, counted up to one more than `most`.
fn inflated_bytes(raw: &[u8], most: u64) -> u64 {
    let mut decoder = flate2::read::ZlibDecoder::new(raw).take(most + 1);
    // Where the stream is damaged, what stands before the damage counts: hayro gives no more either.
    let mut counted = 0;
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = decoder.read(&mut buffer) {
        counted += read as u64;
    }
    counted
}

/// Bytes that an LZW stream holds, counted until there are more than `most`.
fn unpacked_bytes(raw: &[u8], most: u64) -> u64 {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let (mut counted, mut read) = (0, 0);
    let mut buffer = vec![0; 64 << 10];
    while counted <= most {
        let step = decoder.decode_bytes(&raw[read..], &mut buffer);
        read += step.consumed_in;
        counted += step.consumed_out as u64;
        let stalled = step.consumed_in == 0 && step.consumed_out == 0;
        if stalled || !matches!(step.status, Ok(weezl::LzwStatus::Ok)) {
            break;
        }
    }
    counted
}

struct Walk<'b, 'a> {
    bounds: &'b mut Bounds,
    xref: &'a XRef,
    scope: Scope,
    objects: usize,
}

impl<'a> Walk<'_, 'a> {
    fn object(&mut self, object: Object<'a>, depth: usize) -> bool {
        self.objects += 1;
        if self.objects > OBJECTS_PER_PAGE_MAX || depth > DEPTH_MAX {
            return false;
        }
        match object {
            Object::Dict(dict) => self.dict(&dict, depth + 1),
            Object::Array(array) => array.raw_iter().all(|item| self.maybe_ref(item, depth + 1)),
            Object::Stream(stream) => {
                self.bounds.is_stream_safe(&stream, self.scope) && self.dict(stream.dict(), depth + 1)
            }
            _ => true,
        }
    }

    fn dict(&mut self, dict: &Dict<'a>, depth: usize) -> bool {
        painting_entries(dict).all(|value| self.maybe_ref(value, depth))
    }

    fn maybe_ref(&mut self, object: MaybeRef<Object<'a>>, depth: usize) -> bool {
        let id = match object {
            MaybeRef::NotRef(object) => return self.object(object, depth),
            MaybeRef::Ref(reference) => ObjectIdentifier::from(reference),
        };
        if let Some(&is_safe) = self.bounds.measured.get(&(id, self.scope)) {
            return is_safe;
        }
        // Objects refer to each other in circles: one that is being measured counts as safe until it is found not to be.
        self.bounds.measured.insert((id, self.scope), true);
        let is_safe = self.xref.get::<Object>(id).is_none_or(|object| self.object(object, depth));
        self.bounds.measured.insert((id, self.scope), is_safe);
        is_safe
    }
}
