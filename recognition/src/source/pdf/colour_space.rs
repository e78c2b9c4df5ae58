//! The colour spaces of embedded images that need no colour engine (ISO 32000-1 § 8.6).

use hayro_interpret::hayro_syntax::object::dict::keys;
use hayro_interpret::hayro_syntax::object::{Dict, Object, Stream, String as PdfString};

use crate::source::colour::{Colour, Samples};

/// The colour space of an image.
pub(super) enum ColourSpace {
    /// One of grey, RGB, CMYK or a palette of them. A calibrated space or a profile is taken for the device space of as
    /// many channels: see the rules of [`crate::source::colour`].
    Plain(Colour),
    /// Anything else.
    Strange,
}

impl ColourSpace {
    /// The colour space of an image's dictionary; `None` where it has none.
    pub(super) fn of_image(dict: &Dict<'_>, is_stencil: bool) -> Option<Self> {
        if is_stencil {
            return Some(Self::Plain(Colour::Grey { zero_is_white: false }));
        }
        let space = dict.get::<Object>(keys::COLORSPACE)?;
        Some(direct(&space).or_else(|| indexed(&space)).map_or(Self::Strange, Self::Plain))
    }
}

fn direct(space: &Object<'_>) -> Option<Colour> {
    let family = match space {
        Object::Name(name) => name.to_vec(),
        Object::Array(array) => match array.iter::<Object>().next()? {
            Object::Name(name) => name.to_vec(),
            _ => return None,
        },
        _ => return None,
    };
    match family.as_slice() {
        b"DeviceGray" | b"CalGray" | b"G" => of_channels(1),
        b"DeviceRGB" | b"CalRGB" | b"RGB" => of_channels(3),
        b"DeviceCMYK" | b"CMYK" => of_channels(4),
        b"ICCBased" => {
            let Object::Array(array) = space else { return None };
            let profile = array.iter::<Object>().nth(1)?.into_stream()?;
            of_channels(profile.dict().get::<u8>(keys::N)?)
        }
        _ => None,
    }
}

fn of_channels(channels: u8) -> Option<Colour> {
    match channels {
        1 => Some(Colour::Grey { zero_is_white: false }),
        3 => Some(Colour::Rgb),
        4 => Some(Colour::Cmyk { inverted: false }),
        _ => None,
    }
}

/// `[/Indexed base hival lookup]`, its entries brought to RGB.
fn indexed(space: &Object<'_>) -> Option<Colour> {
    let Object::Array(array) = space else { return None };
    let parts: Vec<Object> = array.iter::<Object>().take(4).collect();
    let [Object::Name(family), base, highest, lookup] = parts.as_slice() else { return None };
    if !matches!(&**family, b"Indexed" | b"I") {
        return None;
    }
    let base = direct(base)?;
    let entries = usize::from(u8::try_from(highest.clone().into_i32()?).ok()?) + 1;
    let table = lookup_bytes(lookup)?;
    let channels = base.channels();
    let samples = Samples {
        width: entries as u32,
        height: 1,
        bits: 8,
        colour: base,
        alpha: None,
        channels,
        rows: table.get(..entries * channels)?.to_vec(),
    };
    let raster = samples.into_raster().ok()?;
    let triples =
        if channels == 1 { raster.rows.iter().flat_map(|&grey| [grey; 3]).collect() } else { raster.rows };
    Some(Colour::Palette(triples))
}

fn lookup_bytes(lookup: &Object<'_>) -> Option<Vec<u8>> {
    match lookup {
        Object::String(string) => Some(PdfString::as_bytes(string).to_vec()),
        Object::Stream(stream) => Stream::decoded_data(stream).ok().map(std::borrow::Cow::into_owned),
        _ => None,
    }
}
