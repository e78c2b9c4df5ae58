//! What a page is painted with, found by interpreting it onto a device that only takes notes.

use hayro_interpret::font::GlyphRun;
use hayro_interpret::hayro_syntax::Filter;
use hayro_interpret::hayro_syntax::content::ops::TypedInstruction;
use hayro_interpret::hayro_syntax::object::dict::keys;
use hayro_interpret::hayro_syntax::object::{Array, Name, Number, Object, ObjectIdentifier, Stream};
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::kurbo::{Affine, BezPath, Rect};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, Paint, SoftMask, TransformExt, interpret_page,
};
use pagemill_domain::geometry::Orientation;
use pagemill_domain::scan::ExistingText;

use super::bounds::Bounds;
use super::image_space::{fills, orientation};

/// Drawing operations of one page, forms counted as often as they are drawn. A page of CAD has some hundred thousand.
const OPERATIONS_MAX: u32 = 10_000_000;

/// What a page is painted with.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The one image that is all there is to see, if it is so.
    pub(super) cover: Option<Cover>,
    /// The images that can be seen.
    pub(super) images: Vec<Placed>,
    /// Something else than images and text can be seen.
    pub(super) marks: bool,
    /// The text that the page has.
    pub(super) text: ExistingText,
    /// An image in the content itself is larger than a page may be.
    pub(super) oversized: bool,
}

impl Survey {
    /// Whether something else than images can be seen.
    pub(super) fn has_own_marks(&self) -> bool {
        self.marks || self.text == ExistingText::Visible
    }
}

/// An image that fills the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cover {
    pub(super) image: ObjectIdentifier,
    pub(super) orientation: Orientation,
}

/// An image on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Pixels per point along its denser axis.
    pub(super) pixels_per_point: f64,
    /// Part of the page that its bounds cover.
    pub(super) share: f64,
    /// Black and white alone.
    pub(super) bitonal: bool,
    /// Compressed with loss.
    pub(super) lossy: bool,
}

/// Interprets a page without decoding its images.
pub(super) fn survey(page: &Page<'_>, bounds: &Bounds) -> Survey {
    let (width, height) = page.render_dimensions();
    let mut notes = Notes {
        black_fills: fills_black_alone(page),
        page: Rect::new(0.0, 0.0, f64::from(width), f64::from(height)),
        clips: Vec::new(),
        groups: Vec::new(),
        operations: 0,
        bounds,
        survey: Survey::default(),
    };
    interpret(page, &mut notes);
    notes.survey
}

/// Interprets a page in points, y downwards, its `/Rotate` obeyed.
pub(super) fn interpret<'a>(page: &'a Page<'a>, device: &mut impl Device<'a>) {
    let (width, height) = page.render_dimensions();
    let cache = InterpreterCache::new();
    let bounds = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let transform = page.initial_transform(true).to_kurbo();
    let settings = InterpreterSettings::default();
    interpret_page(page, &mut Context::new(transform, bounds, &cache, page.xref(), settings), device);
}

struct Notes<'b> {
    page: Rect,
    /// Whether stencils are painted black.
    black_fills: bool,
    /// For each clip, whether it leaves the whole page to be seen.
    clips: Vec<bool>,
    /// For each group, whether it is painted as if it were none.
    groups: Vec<bool>,
    operations: u32,
    bounds: &'b Bounds,
    survey: Survey,
}

impl Notes<'_> {
    /// Counts an operation. The device has no other way to stop an interpreter that a page keeps busy than to unwind;
    /// it is caught where all panics of decoders are.
    fn count(&mut self) {
        self.operations += 1;
        if self.operations > OPERATIONS_MAX {
            std::panic::resume_unwind(Box::new("a page of too many drawing operations"));
        }
    }

    fn mark(&mut self, bounds: Rect, paint: &Paint<'_>) {
        if !is_transparent(paint) && bounds.overlaps(self.page) {
            self.survey.marks = true;
            self.survey.cover = None;
        }
    }

    /// The image as a cover, if it is one: whole, straight, opaque, and all of it to be seen.
    fn cover(&self, image: &Image<'_, '_>, transform: Affine) -> Option<Cover> {
        let as_painted = self.clips.iter().all(|whole| *whole) && self.groups.iter().all(|plain| *plain);
        // A stencil paints its black alone: what is below it must be blank paper.
        let opaque = !matches!(image, Image::Stencil(_)) || (self.is_blank() && self.black_fills);
        let stream = stream(image);
        let bounds = image_bounds(image, transform);
        (as_painted && opaque && !has_mask(stream) && fills(bounds, self.page)).then_some(())?;
        Some(Cover { image: stream.dict().obj_id()?, orientation: orientation(transform, self.page)? })
    }

    fn is_blank(&self) -> bool {
        !self.survey.has_own_marks() && self.survey.images.is_empty()
    }

    fn placed(&self, image: &Image<'_, '_>, transform: Affine, share: f64) -> Placed {
        let black = !matches!(image, Image::Stencil(_)) || self.black_fills;
        let stream = stream(image);
        let [a, b, c, d, _, _] = transform.as_coeffs();
        let points_per_pixel = a.hypot(b).min(c.hypot(d));
        let filter = stream.filters().last().copied();
        let fax = matches!(filter, Some(Filter::CcittFaxDecode | Filter::Jbig2Decode));
        Placed {
            pixels_per_point: if points_per_pixel > 0.0 { 1.0 / points_per_pixel } else { 0.0 },
            share,
            bitonal: black && (fax || has_one_bit(stream)),
            lossy: matches!(filter, Some(Filter::DctDecode | Filter::JpxDecode)),
        }
    }
}

impl<'a> Device<'a> for Notes<'_> {
    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, _: &DrawMode) {
        self.count();
        self.mark(props.transform.transform_rect_bbox(path.control_box()), &props.paint);
    }

    fn draw_rect(&mut self, rect: &Rect, props: DrawProps<'a>, _: &DrawMode) {
        self.count();
        self.mark(props.transform.transform_rect_bbox(*rect), &props.paint);
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        self.count();
        let rectangle = (clip.path.elements().len() <= 6).then(|| clip.path.control_box());
        self.clips.push(rectangle.is_some_and(|bounds| covers(bounds, self.page)));
    }

    fn push_clip_rect(&mut self, rect: &Rect) {
        self.count();
        self.clips.push(covers(*rect, self.page));
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn push_transparency_group(&mut self, opacity: f32, mask: Option<SoftMask<'a>>, blend_mode: BlendMode) {
        self.count();
        self.groups.push(opacity > 0.999 && mask.is_none() && blend_mode == BlendMode::Normal);
    }

    fn pop_transparency_group(&mut self) {
        self.groups.pop();
    }

    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, draw_mode: &DrawMode) {
        self.count();
        if run.glyphs().iter().all(super::text::is_white_space) {
            return;
        }
        if matches!(draw_mode, DrawMode::Invisible) || is_transparent(&props.paint) {
            if self.survey.text == ExistingText::None {
                self.survey.text = ExistingText::Invisible;
            }
        } else {
            self.survey.text = ExistingText::Visible;
            self.survey.cover = None;
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        self.count();
        let stream = stream(&image);
        self.survey.oversized |=
            stream.dict().obj_id().is_none() && !self.bounds.is_inline_image_safe(stream);
        let bounds = image_bounds(&image, props.transform).intersect(self.page);
        if bounds.width() <= 0.0 || bounds.height() <= 0.0 {
            return;
        }
        let placed = self.placed(&image, props.transform, bounds.area() / self.page.area());
        self.survey.cover = self.cover(&image, props.transform);
        if self.survey.cover.is_some() {
            // What was painted before can't be seen any more; such text is an OCR layer below its image.
            let survey = &mut self.survey;
            if survey.text == ExistingText::Visible {
                survey.text = ExistingText::Invisible;
            }
            survey.marks = false;
            survey.images.clear();
        }
        self.survey.images.push(placed);
    }
}

fn stream<'i>(image: &'i Image<'_, '_>) -> &'i Stream<'i> {
    match image {
        Image::Raster(raster) => raster.stream(),
        Image::Stencil(stencil) => stencil.stream(),
    }
}

fn image_bounds(image: &Image<'_, '_>, transform: Affine) -> Rect {
    transform.transform_rect_bbox(Rect::new(0.0, 0.0, f64::from(image.width()), f64::from(image.height())))
}

fn has_one_bit(stream: &Stream<'_>) -> bool {
    let dict = stream.dict();
    let indexed = dict
        .get::<Array>(keys::COLORSPACE)
        .is_some_and(|space| space.iter::<Name>().next().is_some_and(|name| &*name == keys::INDEXED));
    !indexed && dict.get::<u8>(keys::BITS_PER_COMPONENT) == Some(1)
}

/// Whether the page's content never leaves the initial fill colour, or only for black. What forms do is not known.
fn fills_black_alone(page: &Page<'_>) -> bool {
    let mut operations = page.typed_operations();
    while let Some(operation) = operations.next() {
        let black = match operation {
            TypedInstruction::NonStrokeColorDeviceGray(grey) => is_zero(grey.0),
            TypedInstruction::NonStrokeColorDeviceRgb(rgb) => {
                is_zero(rgb.0) && is_zero(rgb.1) && is_zero(rgb.2)
            }
            TypedInstruction::NonStrokeColorCmyk(_)
            | TypedInstruction::ColorSpaceNonStroke(_)
            | TypedInstruction::NonStrokeColor(_)
            | TypedInstruction::NonStrokeColorNamed(_) => false,
            TypedInstruction::XObject(name) => {
                let object = page.resources().get_x_object(name.0);
                object.is_some_and(|stream| {
                    stream.dict().get::<Name>(keys::SUBTYPE).is_some_and(|kind| &*kind == b"Image")
                })
            }
            _ => true,
        };
        if !black {
            return false;
        }
    }
    true
}

fn is_zero(number: Number) -> bool {
    number.as_f64().abs() < 1e-6
}

fn has_mask(stream: &Stream<'_>) -> bool {
    let dict = stream.dict();
    [keys::SMASK, keys::MASK]
        .iter()
        .any(|key| dict.get::<Object>(key).is_some_and(|mask| !matches!(mask, Object::Null(_))))
        || dict.get::<i32>(keys::SMASK_IN_DATA).is_some_and(|kind| kind != 0)
}

fn is_transparent(paint: &Paint<'_>) -> bool {
    matches!(paint, Paint::Color(color) if color.to_rgba().to_rgba8()[3] == 0)
}

/// Whether a clip leaves all of the page to be seen, but for what [`fills`] leaves, too.
fn covers(clip: Rect, page: Rect) -> bool {
    fills(clip.intersect(page), page)
}
