//! A decoded page, on its way from a source to a reader.

use pagemill_domain::scan::Dpi;

use crate::channels::Channels;
use crate::pix::Pix;
use crate::planes::Planes;
use crate::prepare::channel;
use crate::prepare::grey::Grey;

/// A decoded page at full resolution, turned as the file's orientation tag asks: its pixels are page space.
#[derive(Debug)]
pub struct Scan {
    /// The samples: 1 bit, 8 bit grey or 32 bit colour, without a colour map; alpha is flattened on white.
    pub pix: Pix,
    /// Resolution as displayed; x and y may differ (fax).
    pub dpi: Dpi,
}

/// A page as it is read: the same, in whichever form its samples came.
#[derive(Debug)]
pub struct Sheet {
    /// The samples, turned as the file's orientation tag asks.
    pub samples: SheetSamples,
    /// Resolution as displayed.
    pub dpi: Dpi,
}

/// The samples of a page that is read.
#[derive(Debug)]
pub enum SheetSamples {
    /// As in a [`Scan`].
    Pix(Pix),
    /// As a JPEG stores them.
    Planes(Planes),
    /// Of a file that stores colour without loss.
    Channels(Channels),
}

impl From<Scan> for Sheet {
    fn from(scan: Scan) -> Self {
        Self { samples: SheetSamples::Pix(scan.pix), dpi: scan.dpi }
    }
}

impl SheetSamples {
    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        match self {
            Self::Pix(pix) => pix.width(),
            Self::Planes(planes) => planes.width() as u32,
            Self::Channels(channels) => channels.darkest.width as u32,
        }
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        match self {
            Self::Pix(pix) => pix.height(),
            Self::Planes(planes) => planes.height() as u32,
            Self::Channels(channels) => channels.darkest.height as u32,
        }
    }

    /// As grey by each pixel's brightest channel: red stamps and blue pens fade, black print stays black. It is taken out where
    /// it is kept ready, so this is asked once.
    #[must_use]
    pub fn take_brightest(&mut self) -> Grey {
        match self {
            Self::Pix(pix) => channel::brightest(pix),
            Self::Planes(planes) => planes.brightest(),
            Self::Channels(channels) => std::mem::replace(&mut channels.brightest, Grey::filled(0, 0, 0)),
        }
    }

    /// As grey by each pixel's darkest channel: any colour leaves a trace.
    #[must_use]
    pub fn darkest(&self) -> Grey {
        match self {
            Self::Pix(pix) => channel::darkest(pix),
            Self::Planes(planes) => planes.darkest(),
            Self::Channels(channels) => channels.darkest.clone(),
        }
    }
}
