//! A decoded page, on its way from a source to a reader.

use pagemill_domain::scan::Dpi;

use crate::pix::Pix;

/// A decoded page at full resolution, turned as the file's orientation tag asks: its pixels are page space.
#[derive(Debug)]
pub struct Scan {
    /// The samples: 1 bit, 8 bit grey or 32 bit colour, without a colour map; alpha is flattened on white.
    pub pix: Pix,
    /// Resolution as displayed; x and y may differ (fax).
    pub dpi: Dpi,
}
