//! What the headers of one image say, whatever its format.

use pagemill_domain::geometry::Orientation;
use pagemill_domain::limits::Limits;
use pagemill_domain::scan::{Dpi, DpiRule, ExistingText, PageDefect, PageFacts, resolve_dpi};

/// The headers of one image, as stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Header {
    /// Width in samples.
    pub(crate) width: u32,
    /// Height in samples.
    pub(crate) height: u32,
    /// Resolution that the file declares, along the stored axes, sane or not.
    pub(crate) declared: Option<Dpi>,
    /// How the samples are to be displayed.
    pub(crate) orientation: Orientation,
}

impl Header {
    /// Width and height as displayed.
    pub(crate) fn displayed_size(&self) -> (u32, u32) {
        self.orientation.displayed(self.width, self.height)
    }

    /// Resolution as displayed and the rule that gave it.
    pub(crate) fn displayed_dpi(&self) -> (Dpi, DpiRule) {
        let (width, height) = self.displayed_size();
        let swaps = self.orientation.turn.swaps_axes();
        let declared = self.declared.map(|dpi| if swaps { dpi.swapped() } else { dpi });
        resolve_dpi(declared, width, height)
    }

    /// Resolution along the stored axes.
    pub(crate) fn stored_dpi(&self) -> Dpi {
        let (dpi, _) = self.displayed_dpi();
        if self.orientation.turn.swaps_axes() { dpi.swapped() } else { dpi }
    }

    /// Refuses what must not be decoded.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), PageDefect> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        if pixels == 0 {
            return Err(PageDefect::Damaged("the image has no pixels".into()));
        }
        if pixels > limits.pixels_per_page_max {
            return Err(PageDefect::TooManyPixels { pixels });
        }
        Ok(())
    }

    /// The facts of a page that is this image; `defect` is what else its headers show.
    pub(crate) fn facts(&self, limits: &Limits, defect: Option<PageDefect>) -> PageFacts {
        let (width, height) = self.displayed_size();
        let (dpi, dpi_rule) = self.displayed_dpi();
        PageFacts {
            width,
            height,
            dpi,
            dpi_rule,
            orientation: self.orientation,
            existing_text: ExistingText::None,
            defect: self.check(limits).err().or(defect),
        }
    }
}

/// The facts of a page of which nothing is known but its defect.
pub(crate) fn defective(defect: PageDefect) -> PageFacts {
    let (dpi, dpi_rule) = resolve_dpi(None, 0, 0);
    PageFacts {
        width: 0,
        height: 0,
        dpi,
        dpi_rule,
        orientation: Orientation::default(),
        existing_text: ExistingText::None,
        defect: Some(defect),
    }
}
