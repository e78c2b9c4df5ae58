//! From a decoded page to a clean, upright, straight grey picture of one resolution, and the way back.
#![allow(unsafe_code, reason = "switches Leptonica's messages off")]

pub mod background;
pub mod bits;
pub mod blank;
pub mod channel;
pub mod despeckle;
pub mod edges;
pub mod grey;
pub mod inverted;
pub mod mapping;
pub mod scale;
pub mod sharpen;
pub mod show_through;
pub mod sideways;
pub mod skew;
pub mod stamps;
pub mod text_height;
pub mod turn;

use pagemill_domain::geometry::Turn;
use pagemill_domain::recipe::CleanUp;
use pagemill_domain::scan::Dpi;

use crate::engine::Span;
use grey::Grey;
use mapping::Mapping;

/// Resolution of prepared pictures in pixels per inch. Measured on 32 scans of 300 dpi: finer costs time and brings no
/// letter, coarser loses marks.
pub const PREPARED_DPI: u32 = 170;

/// Shade of the paper on prepared pictures.
pub const GROUND: u8 = 230;

/// Coarse scans are enlarged at most so much: interpolation adds no detail.
const ENLARGEMENT_MAX: f64 = 2.0;

/// Skew below this many degrees is left alone: rotation blurs, and a line of 17 cm rises by only 0.3 mm.
pub const SKEW_GATE_DEGREES: f64 = 0.1;

/// Until the background is known: ink is darker than this.
pub const INK_BELOW: u8 = 150;

/// Leptonica reports on stderr what its return codes say already.
pub fn quiet_leptonica() {
    // SAFETY: sets a global integer.
    unsafe { leptess::capi::setMsgSeverity(leptess::capi::L_SEVERITY_NONE as i32) };
}

/// A page that layout and engines can work on.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The picture, [`PREPARED_DPI`] unless the scan is far coarser.
    pub grey: Grey,
    /// Its resolution in pixels per inch, both ways.
    pub dpi: u32,
    /// From its pixels to page space.
    pub to_page: Mapping,
    /// How the content lay on the page.
    pub turn: Turn,
    /// Skew of the upright content, clockwise, in thousandths of a degree.
    pub skew_millidegrees: i32,
    /// Boxes of stamps and signatures, cleaned.
    pub overlays: Vec<Span>,
    /// Print was seen on it: it can't be blank.
    pub has_print: bool,
}

/// The page as grey of one resolution both ways, not yet turned; from its brightest channel at full resolution.
#[must_use]
pub fn reduce(mut full: Grey, full_dpi: Dpi, clean_up: &CleanUp) -> Prepared {
    let mut from = (full_dpi.x(), full_dpi.y());
    let mut has_print = None;
    if clean_up.despeckle || clean_up.text_height {
        let marks = despeckle::marks(&full, full_dpi.coarser());
        let letter_height = text_height::of(&marks);
        has_print = Some(letter_height.is_some());
        if let Some(height) = letter_height.filter(|_| clean_up.text_height) {
            let times = text_height::disproportion(height, from.1);
            from = (from.0 * times, from.1 * times);
        }
        if clean_up.despeckle {
            despeckle::paint_over(&mut full, &marks, from.0.min(from.1).round() as u32);
        }
    }
    let (grey, dpi) = scaled(&full, from);
    let to_page =
        Mapping::scaling(full.width as f64 / grey.width as f64, full.height as f64 / grey.height as f64);
    let mut page = Prepared {
        grey,
        dpi,
        to_page,
        turn: Turn::None,
        skew_millidegrees: 0,
        overlays: Vec::new(),
        has_print: has_print.unwrap_or(false),
    };
    page.clear_ground(clean_up);
    page
}

/// The picture at [`PREPARED_DPI`], or as near to it as enlarging helps. Both ways by the same resolution in the end: a
/// fax of 200 × 100 dpi gets square pixels.
fn scaled(full: &Grey, from: (f64, f64)) -> (Grey, u32) {
    let coarser = from.0.min(from.1).max(1.0);
    let dpi = (coarser * ENLARGEMENT_MAX).min(f64::from(PREPARED_DPI));
    let size = |length: usize, from: f64| ((length as f64 * dpi / from.max(1.0)).round() as usize).max(1);
    (scale::to_size(full, size(full.width, from.0), size(full.height, from.1)), dpi.round() as u32)
}

impl Prepared {
    /// Makes all of it dark print on paper of one shade.
    fn clear_ground(&mut self, clean_up: &CleanUp) {
        if clean_up.edges {
            edges::clear(&mut self.grey, self.dpi);
        }
        if clean_up.inverted {
            inverted::turn_dark_on_light(&mut self.grey, self.dpi);
        }
        if clean_up.background {
            self.grey = background::levelled(&self.grey, self.dpi, GROUND);
            if clean_up.show_through {
                show_through::remove(&mut self.grey);
            }
        }
    }

    /// The same page with content that lay turned by `turn` set upright.
    #[must_use]
    pub fn set_upright(&self, turn: Turn) -> Self {
        let grey = turn::by_quarters(&self.grey, turn.inverse());
        let back = Mapping::undoing_turn(turn.inverse(), grey.width as f64, grey.height as f64);
        Self { to_page: back.then(self.to_page), turn, grey, overlays: Vec::new(), ..*self }
    }

    /// Straightens the page where its skew is clear and beyond the gate, clears it of stamps and sharpens it.
    #[must_use]
    pub fn finished(self, clean_up: &CleanUp) -> Self {
        let mut page = if clean_up.deskew { self.straightened() } else { self };
        if clean_up.stamps {
            page.overlays = stamps::clean(&mut page.grey, page.dpi);
        }
        if clean_up.sharpen {
            page.grey = sharpen::sharpened(&page.grey);
        }
        page
    }

    fn straightened(self) -> Self {
        let degrees = skew::straightening_degrees(&self.grey, INK_BELOW).unwrap_or(0.0);
        if degrees.abs() < SKEW_GATE_DEGREES {
            return self;
        }
        let (x, y) = (self.grey.width as f64 / 2.0, self.grey.height as f64 / 2.0);
        let back = Mapping::undoing_rotation(degrees.to_radians(), x, y);
        Self {
            grey: turn::by_angle(&self.grey, degrees.to_radians(), GROUND),
            to_page: back.then(self.to_page),
            skew_millidegrees: (-degrees * 1000.0).round() as i32,
            ..self
        }
    }
}
