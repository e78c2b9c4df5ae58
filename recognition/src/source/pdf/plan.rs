//! What stands for a page: its image, or its rendering at a resolution that loses nothing.
//!
//! A rendered page has the resolution of its densest image that covers at least [`IMAGE_SHARE_MIN`] of it; at least
//! [`RENDERED_DPI`] where it has text or lines of its own, and exactly that where it has no such image.

use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::ObjectIdentifier;
use hayro_interpret::hayro_syntax::page::Page;
use pagemill_domain::limits::Limits;
use pagemill_domain::scan::{Dpi, ExistingText, PageDefect};

use super::bounds::{self, Bounds};
use super::embedded::Embedded;
use super::survey::{Survey, survey};
use crate::source::header::Header;

/// Resolution of pages without an image of note: what the digitisation plans ask for.
const RENDERED_DPI: f64 = 300.0;

/// The most that an image's density is followed: no document scanner gives more, and stamps set as tiny images do.
const RENDERED_DPI_MAX: f64 = 1_200.0;

/// Part of the page from which on an image's density counts: logos and stamps do not decide.
const IMAGE_SHARE_MIN: f64 = 0.05;

/// Sides of a rendered page (the rasteriser's coordinates have 16 bits).
const RENDERED_SIDE_MAX: u32 = 65_535;

/// What stands for a page.
#[derive(Debug)]
pub(super) struct PagePlan {
    /// Its size, resolution and orientation.
    pub(super) image: Header,
    pub(super) existing_text: ExistingText,
    pub(super) way: Way,
    pub(super) defect: Option<PageDefect>,
}

/// Where the pixels come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// The image that fills the page.
    Embedded(ObjectIdentifier),
    /// The page is rendered.
    Rendered(Paint),
}

/// What a rendered page was painted with: how it is coded follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// Images of black and white alone.
    Bitonal,
    /// Images of note that were compressed with loss, whatever else.
    Lossy,
    /// Anything else.
    Lossless,
}

/// Surveys a page and decides.
pub(super) fn of_page(
    pdf: &Pdf,
    page: &Page<'_>,
    bounds: &Bounds,
    limits: &Limits,
) -> Result<PagePlan, PageDefect> {
    let survey = survey(page, bounds);
    if survey.oversized {
        return Err(bounds::too_large());
    }
    let existing_text = survey.text;
    let inches = page_inches(page);
    if let Some(cover) = survey.cover
        && let Ok(embedded) = Embedded::open(pdf, cover.image, limits)
    {
        let (width, height) = embedded.size();
        let displayed = cover.orientation.displayed(width, height);
        let dpi = Dpi::from_f64(f64::from(displayed.0) / inches.0, f64::from(displayed.1) / inches.1);
        let swaps = cover.orientation.turn.swaps_axes();
        let image = Header {
            width,
            height,
            declared: Some(if swaps { dpi.swapped() } else { dpi }),
            orientation: cover.orientation,
        };
        return Ok(PagePlan { image, existing_text, way: Way::Embedded(cover.image), defect: None });
    }
    let dpi = rendered_dpi(&survey, user_unit(page));
    let side = |inches: f64| (inches * dpi).round().max(1.0) as u32;
    let (width, height) = (side(inches.0), side(inches.1));
    let declared = Dpi::from_f64(f64::from(width) / inches.0, f64::from(height) / inches.1);
    let image = Header { width, height, declared: Some(declared), ..Header::default() };
    let defect = (width.max(height) > RENDERED_SIDE_MAX).then(|| {
        PageDefect::Unsupported(format!("a page of {width} × {height} pixels that has to be rendered"))
    });
    Ok(PagePlan { image, existing_text, way: Way::Rendered(paint(&survey)), defect })
}

fn rendered_dpi(survey: &Survey, user_unit: f64) -> f64 {
    let of_images = survey
        .images
        .iter()
        .filter(|image| image.share >= IMAGE_SHARE_MIN)
        .map(|image| image.pixels_per_point * 72.0 / user_unit)
        .reduce(f64::max);
    let own_marks = survey.has_own_marks();
    match of_images {
        Some(dpi) if own_marks => dpi.clamp(RENDERED_DPI, RENDERED_DPI_MAX),
        Some(dpi) => dpi.min(RENDERED_DPI_MAX),
        None => RENDERED_DPI,
    }
}

fn paint(survey: &Survey) -> Paint {
    if survey.images.iter().any(|image| image.lossy && image.share >= IMAGE_SHARE_MIN) {
        Paint::Lossy
    } else if !survey.has_own_marks() && survey.images.iter().all(|image| image.bitonal) {
        Paint::Bitonal
    } else {
        Paint::Lossless
    }
}

/// Width and height of the displayed page.
fn page_inches(page: &Page<'_>) -> (f64, f64) {
    let (width, height) = page.render_dimensions();
    let unit = user_unit(page) / 72.0;
    (f64::from(width) * unit, f64::from(height) * unit)
}

/// Points in a unit of the page's space (ISO 32000-1 table 30); nonsense counts as 1.
fn user_unit(page: &Page<'_>) -> f64 {
    page.raw().get::<f64>("UserUnit").filter(|unit| (0.01..=1_000.0).contains(unit)).unwrap_or(1.0)
}
