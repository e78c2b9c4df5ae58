//! Pages that have to be rendered.

use hayro::hayro_interpret::{InterpreterSettings, TransformExt};
use hayro::kurbo::Affine;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings};
use hayro_interpret::hayro_syntax::page::Page;
use pagemill_domain::page_image::PixelFormat;
use pagemill_domain::scan::PageDefect;

use super::plan::Paint;
use crate::source::deliver::Decoded;
use crate::source::header::Header;
use crate::source::raster::Raster;

/// Renders a page on white paper. Hayro's own function cuts sizes off (3,299 for 3,300), so the transform is ours.
pub(super) fn page(page: &Page<'_>, image: &Header) -> Result<Raster, PageDefect> {
    let too_large = |_| PageDefect::Unsupported("a page that large has to be rendered".into());
    let width = u16::try_from(image.width).map_err(too_large)?;
    let height = u16::try_from(image.height).map_err(too_large)?;
    let (page_width, page_height) = page.render_dimensions();
    let scale = Affine::scale_non_uniform(
        f64::from(width) / f64::from(page_width),
        f64::from(height) / f64::from(page_height),
    );
    let transform = scale * page.initial_transform(true).to_kurbo();
    let mut context = RenderContext::new(width, height);
    let (interpreter, renderer) = (InterpreterSettings::default(), RenderSettings::default());
    hayro::render_into(page, &RenderCache::new(), &interpreter, &renderer, &mut context, transform);
    context.flush();
    let mut pixmap = Pixmap::new(width, height);
    let paper = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixmap, &mut Resources::default(), paper);
    Ok(raster(&pixmap))
}

/// Grey where no pixel has a colour, else RGB.
fn raster(pixmap: &Pixmap) -> Raster {
    let (pixels, _) = pixmap.data_as_u8_slice().as_chunks::<4>();
    let grey = pixels.iter().all(|[red, green, blue, _]| red == green && green == blue);
    let (format, rows) = if grey {
        (PixelFormat::Grey { bits: 8 }, pixels.iter().map(|pixel| pixel[0]).collect())
    } else {
        (PixelFormat::Rgb, pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect())
    };
    Raster { width: pixmap.width().into(), height: pixmap.height().into(), pixels: format, rows }
}

/// In the form in which a page of this paint is delivered. Resampled black and white has grey edges that its image never
/// had: it is cut at the middle.
pub(super) fn by_paint(raster: Raster, paint: Paint) -> Result<Decoded, PageDefect> {
    match (paint, &raster.pixels) {
        (Paint::Lossy, _) => raster.to_pix().map(Decoded::Lossy),
        (Paint::Bitonal, PixelFormat::Grey { bits: 8 }) => Ok(Decoded::Lossless(black_and_white(&raster))),
        _ => Ok(Decoded::Lossless(raster)),
    }
}

fn black_and_white(grey: &Raster) -> Raster {
    let rows = grey
        .rows
        .chunks_exact(grey.width as usize)
        .flat_map(|row| row.chunks(8))
        .map(|eight| {
            eight.iter().enumerate().fold(0, |byte, (x, grey)| byte | u8::from(*grey < 128) << (7 - x))
        })
        .collect();
    Raster {
        width: grey.width,
        height: grey.height,
        pixels: PixelFormat::Bitonal { black_is_one: true },
        rows,
    }
}
