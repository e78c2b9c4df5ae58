//! EXIF blocks (CIPA DC-008): a small TIFF inside a JPEG or PNG.

use pagemill_domain::geometry::Orientation;
use pagemill_domain::scan::Dpi;

use super::tiff::directory::Tiff;

/// Resolution and orientation of the block's first directory; what can't be read counts as absent.
pub(crate) fn read(block: &[u8]) -> (Option<Dpi>, Orientation) {
    let directory = Tiff::open(block).and_then(|(tiff, first)| Some((tiff.directory(first)?, tiff)));
    match directory {
        Some((directory, tiff)) => (directory.resolution(&tiff), directory.orientation(&tiff)),
        None => (None, Orientation::default()),
    }
}
