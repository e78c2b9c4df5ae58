//! The image that fills a page: decoded, or handed on as it is stored.

use hayro_interpret::hayro_syntax::object::dict::keys;
use hayro_interpret::hayro_syntax::object::{Array, Dict, ObjectIdentifier, Stream};
use hayro_interpret::hayro_syntax::{Filter, Pdf};
use pagemill_domain::geometry::Orientation;
use pagemill_domain::limits::Limits;
use pagemill_domain::page_image::{Coding, Deliverable, PageImage, PixelFormat};
use pagemill_domain::scan::PageDefect;

use super::bounds::FAX_COLUMNS;
use super::colour_space::ColourSpace;
use super::payload::{self, Payload, last_filter};
use super::rows::RowCoding;
use super::{jbig2, jpx};
use crate::planes::Planes;
use crate::source::ccitt::{FaxCoding, Scheme, decode_rows};
use crate::source::colour::{Colour, Samples, palette};
use crate::source::deliver::{Decoded, jpeg_pixels, page_image, passed_through};
use crate::source::header::Header;
use crate::source::jpeg::{self, JpegHeader};
use crate::source::raster::Raster;

/// An image that can be taken out of its page without hayro's renderer.
pub(super) struct Embedded<'a> {
    pdf: &'a Pdf,
    stream: Stream<'a>,
    width: u32,
    height: u32,
    colour: Colour,
    /// `/Decode` turns every sample's range round.
    inverted: bool,
    bits: u8,
    form: Form,
    bytes_max: u64,
}

/// How the samples are stored.
enum Form {
    Jpeg(JpegHeader),
    Fax { coding: FaxCoding, black_is_one: bool },
    Jbig2,
    Jpx,
    Rows(RowCoding),
}

impl<'a> Embedded<'a> {
    /// Reads the image's dictionary and its headers; an error means that the page has to be rendered.
    pub(super) fn open(pdf: &'a Pdf, image: ObjectIdentifier, limits: &Limits) -> Result<Self, PageDefect> {
        let unsupported = || PageDefect::Unsupported("PDF: an image that has to be rendered".into());
        let stream: Stream = pdf.xref().get(image).ok_or_else(unsupported)?;
        let dict = stream.dict().clone();
        let side = |key: &[u8]| dict.get::<u32>(key).filter(|side| *side > 0).ok_or_else(unsupported);
        let (width, height) = (side(keys::WIDTH)?, side(keys::HEIGHT)?);
        let is_stencil = dict.get::<bool>(keys::IMAGE_MASK).unwrap_or(false);
        let space = ColourSpace::of_image(&dict, is_stencil);
        let filter = last_filter(&stream);
        let bytes_max = limits.pixels_per_page_max.saturating_mul(3);
        let form = match &filter {
            Some((Filter::DctDecode, parameters)) => {
                if parameters.contains_key("ColorTransform") {
                    return Err(unsupported());
                }
                Form::Jpeg(JpegHeader::read(&payload::of_stream(pdf, &stream, bytes_max)?.bytes)?)
            }
            Some((Filter::CcittFaxDecode, parameters)) => fax(parameters, width).ok_or_else(unsupported)?,
            Some((Filter::Jbig2Decode, _)) => Form::Jbig2,
            Some((Filter::JpxDecode, _)) => Form::Jpx,
            _ => Form::Rows(RowCoding::of_stream(&stream).ok_or_else(unsupported)?),
        };
        let bits = match &form {
            Form::Fax { .. } | Form::Jbig2 => 1,
            Form::Jpeg(_) | Form::Jpx => 8,
            Form::Rows(_) if is_stencil => 1,
            Form::Rows(_) => dict.get::<u8>(keys::BITS_PER_COMPONENT).ok_or_else(unsupported)?,
        };
        let colour = form.colour(space).ok_or_else(unsupported)?;
        let inverted = is_inverted(&dict, &colour).ok_or_else(unsupported)?;
        let embedded = Self { pdf, stream, width, height, colour, inverted, bits, form, bytes_max };
        if embedded.is_consistent() { Ok(embedded) } else { Err(unsupported()) }
    }

    /// Width and height in samples.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether decoding reads no more than the image's size asks for; else its stream has to be measured before.
    pub(super) fn is_bounded(&self) -> bool {
        !matches!(self.form, Form::Rows(RowCoding::Other))
    }

    /// Decodes the samples.
    pub(super) fn decode(&self) -> Result<Decoded, PageDefect> {
        match &self.form {
            Form::Jpeg(header) => self.decode_jpeg(header),
            Form::Fax { coding, .. } => {
                let rows = decode_rows(&self.payload()?.bytes, *coding, self.width, self.height)?;
                Ok(Decoded::Lossless(self.bitonal(rows)))
            }
            Form::Jbig2 => {
                let rows = jbig2::decode(&self.payload()?.bytes, self.globals(), (self.width, self.height))?;
                Ok(Decoded::Lossless(self.bitonal(rows)))
            }
            Form::Jpx => {
                jpx::decode(&self.payload()?.bytes, (self.width, self.height))?.to_pix().map(Decoded::Lossy)
            }
            Form::Rows(coding) => {
                let channels = self.colour.channels();
                let rows = coding.decode(&self.stream, (self.width, self.height), channels, self.bits)?;
                self.samples(rows).into_raster().map(Decoded::Lossless)
            }
        }
    }

    /// The coded samples as they are stored, where the deliverable may hold them.
    pub(super) fn pass_through(
        &self,
        header: &Header,
        deliverable: Deliverable,
    ) -> Result<Option<PageImage>, PageDefect> {
        let is_pdf = matches!(deliverable, Deliverable::Pdf14 | Deliverable::Pdf17);
        let fits_paper = matches!(deliverable, Deliverable::Tiff) || is_pdf;
        let bitonal = matches!(self.coded_bitonal(), PixelFormat::Bitonal { .. });
        let coded = match &self.form {
            Form::Jpeg(jpeg) if jpeg.is_plain() && !self.inverted => {
                Some((jpeg_pixels(jpeg.components), Coding::Jpeg))
            }
            Form::Fax { coding, .. }
                if bitonal && fits_paper && coding.scheme == Scheme::Group4 && !coding.byte_aligned =>
            {
                Some((self.coded_bitonal(), Coding::G4))
            }
            Form::Jbig2 if bitonal && is_pdf => {
                Some((self.coded_bitonal(), Coding::Jbig2 { globals: self.globals() }))
            }
            Form::Jpx if deliverable == Deliverable::Pdf17 => {
                jpx::plain_pixels(&self.payload()?.bytes).map(|pixels| (pixels, Coding::Jpx))
            }
            Form::Rows(RowCoding::FlatePng) if is_pdf && self.bits > 1 && !self.inverted => {
                self.row_pixels().map(|pixels| (pixels, Coding::FlatePng))
            }
            _ => None,
        };
        let Some((pixels, coding)) = coded else { return Ok(None) };
        let payload = self.payload()?;
        if let (Form::Jpeg(jpeg), Deliverable::Jpeg) = (&self.form, deliverable)
            && jpeg.image.orientation != Orientation::default()
        {
            let bytes = jpeg::without_exif(&payload.bytes);
            return Ok(Some(page_image(header, pixels, coding, bytes)));
        }
        Ok(Some(match payload.stored {
            Some(range) => passed_through(header, pixels, coding, range),
            None => page_image(header, pixels, coding, payload.bytes.into_owned()),
        }))
    }

    fn payload(&self) -> Result<Payload<'a>, PageDefect> {
        payload::of_stream(self.pdf, &self.stream, self.bytes_max)
    }

    /// Whether what the dictionary says and what the coded samples say go together.
    fn is_consistent(&self) -> bool {
        match &self.form {
            Form::Jpeg(header) => {
                let components = usize::from(header.components);
                (header.image.width, header.image.height) == (self.width, self.height)
                    && header.check().is_ok()
                    && components == self.colour.channels()
                    && !matches!(self.colour, Colour::Palette(_) | Colour::Lab { .. })
            }
            Form::Fax { .. } | Form::Jbig2 => matches!(self.colour, Colour::Grey { .. } | Colour::Palette(_)),
            Form::Jpx => !self.inverted && matches!(self.colour, Colour::Grey { .. } | Colour::Rgb),
            Form::Rows(coding) => {
                matches!(self.bits, 1 | 2 | 4 | 8 | 16)
                    && coding.fits(&self.stream, self.width, self.colour.channels(), self.bits)
                    && !(self.inverted && matches!(self.colour, Colour::Rgb | Colour::Palette(_)))
            }
        }
    }

    fn decode_jpeg(&self, header: &JpegHeader) -> Result<Decoded, PageDefect> {
        let bytes = self.payload()?.bytes;
        // Adobe's programs store inks inverted; inside a PDF `/Decode` says so, not their marker.
        if header.components == 4 {
            let rows = jpeg::decode_inks(&bytes, header)?;
            return self.samples(rows).into_raster()?.to_pix().map(Decoded::Lossy);
        }
        let mut pix = jpeg::decode(&bytes, header)?;
        if self.inverted {
            let samples = if pix.depth() == 32 { 0xffff_ff00 } else { u32::MAX };
            pix.words_mut().iter_mut().for_each(|word| *word ^= samples);
        }
        Ok(Decoded::Lossy(pix))
    }

    /// The planes of a JPEG.
    pub(super) fn planes(&self) -> Result<Option<Planes>, PageDefect> {
        match &self.form {
            Form::Jpeg(header) if !self.inverted => jpeg::decode_planes(&self.payload()?.bytes, header),
            _ => Ok(None),
        }
    }

    fn samples(&self, rows: Vec<u8>) -> Samples {
        let colour = match &self.colour {
            Colour::Grey { .. } => Colour::Grey { zero_is_white: self.inverted },
            Colour::Cmyk { .. } => Colour::Cmyk { inverted: self.inverted },
            other => other.clone(),
        };
        let channels = colour.channels();
        Samples {
            width: self.width,
            height: self.height,
            bits: self.bits,
            colour,
            alpha: None,
            channels,
            rows,
        }
    }

    fn bitonal(&self, rows: Vec<u8>) -> Raster {
        Raster { width: self.width, height: self.height, pixels: self.coded_bitonal(), rows }
    }

    /// What the bits mean that a fax or JBIG2 decoder gives, set for what its coding calls black. As PDF sees it that
    /// is 0, or 1 with `/BlackIs1`.
    fn coded_bitonal(&self) -> PixelFormat {
        let black_is_one = matches!(self.form, Form::Fax { black_is_one: true, .. });
        match &self.colour {
            Colour::Palette(entries) if entries.len() >= 6 => {
                let (zero, one) = (&entries[..3], &entries[3..6]);
                let coded = if black_is_one == self.inverted { [one, zero] } else { [zero, one] };
                palette(1, &coded.concat())
            }
            _ => PixelFormat::Bitonal { black_is_one: black_is_one == self.inverted },
        }
    }

    fn row_pixels(&self) -> Option<PixelFormat> {
        match (&self.colour, self.bits) {
            (Colour::Grey { .. }, bits @ (2 | 4 | 8)) => Some(PixelFormat::Grey { bits }),
            (Colour::Rgb, 8) => Some(PixelFormat::Rgb),
            (Colour::Palette(entries), bits @ (2 | 4 | 8)) => {
                Some(PixelFormat::Palette { bits, entries: entries.clone() })
            }
            _ => None,
        }
    }

    /// The segments that a JBIG2 image shares with others.
    fn globals(&self) -> Option<Vec<u8>> {
        let (_, parameters) = last_filter(&self.stream)?;
        let globals = parameters.get::<Stream>("JBIG2Globals")?;
        match globals.filters().as_slice() {
            [] => Some(globals.raw_data().into_owned()),
            [Filter::FlateDecode] => Some(payload::inflate(&globals.raw_data(), self.bytes_max)),
            _ => None,
        }
    }
}

impl Form {
    /// What the channels mean; the codings that know better than the dictionary go first.
    fn colour(&self, space: Option<ColourSpace>) -> Option<Colour> {
        match (self, space) {
            (_, Some(ColourSpace::Plain(colour))) => Some(colour),
            (Self::Jpeg(header), None) => Some(match header.components {
                1 => Colour::Grey { zero_is_white: false },
                3 => Colour::Rgb,
                _ => Colour::Cmyk { inverted: false },
            }),
            (Self::Jpx | Self::Fax { .. } | Self::Jbig2, None) => Some(Colour::Grey { zero_is_white: false }),
            (_, Some(ColourSpace::Strange)) | (Self::Rows(_), None) => None,
        }
    }
}

/// `/CCITTFaxDecode` parameters (ISO 32000-1 table 11).
fn fax(parameters: &Dict<'_>, width: u32) -> Option<Form> {
    let k = parameters.get::<i32>("K").unwrap_or(0);
    let scheme = match k {
        ..0 => Scheme::Group4,
        0 => Scheme::OneDimensional,
        1.. => Scheme::TwoDimensional,
    };
    let flag = |key: &str, default| parameters.get::<bool>(key).unwrap_or(default);
    let coding = FaxCoding {
        scheme,
        byte_aligned: flag("EncodedByteAlign", false),
        end_of_block: flag("EndOfBlock", true),
    };
    (parameters.get::<u32>("Columns").unwrap_or(FAX_COLUMNS) == width)
        .then(|| Form::Fax { coding, black_is_one: flag("BlackIs1", false) })
}

/// Whether `/Decode` turns the samples round; `None` for anything but that and the default.
fn is_inverted(dict: &Dict<'_>, colour: &Colour) -> Option<bool> {
    let Some(decode) = dict.get::<Array>(keys::DECODE) else { return Some(false) };
    let limits: Vec<f32> = decode.iter::<f32>().collect();
    let (pairs, rest) = limits.as_chunks::<2>();
    if pairs.len() != colour.channels() || !rest.is_empty() {
        return None;
    }
    let all = |low: f32, high: f32| pairs.iter().all(|pair| near(pair[0], low) && near(pair[1], high));
    match colour {
        // The default depends on the bits; only bitonal palettes are ever turned round.
        Colour::Palette(entries) => {
            let top = (entries.len() / 3) as f32 - 1.0;
            pairs.iter().all(|[low, high]| near(*low, 0.0) && *high >= top).then_some(false)
        }
        Colour::Lab { .. } => None,
        _ if all(0.0, 1.0) => Some(false),
        _ if all(1.0, 0.0) => Some(true),
        _ => None,
    }
}

fn near(one: f32, other: f32) -> bool {
    (one - other).abs() < 1e-3
}
