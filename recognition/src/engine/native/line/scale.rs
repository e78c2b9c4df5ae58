//! Scaling a line to the model's height as Tesseract does, through the rules of Leptonica's `pixScale`: by area where
//! the line shrinks much, else bilinear, then sharpened; positions count in sixteenths of a pixel. The models were
//! trained on lines that were scaled so, and every deviation costs letters.

use super::{GreyLine, ScaledLine};

/// Below this factor areas are averaged.
const AREA_BELOW: f64 = 0.7;
/// Lines that shrink to less than this are not sharpened.
const SHARPEN_ABOVE: f64 = 0.2;
/// Lines that grow beyond this are not sharpened.
const SHARPEN_BELOW: f64 = 1.4;

/// Heights in model heights that Leptonica halves once, twice, … instead.
const HALVED: [usize; 4] = [2, 4, 8, 16];

/// Scales `line` so that it becomes `height` rows high.
pub(super) fn scale_to_height(line: &GreyLine<'_>, height: usize) -> ScaledLine {
    let factor = height as f32 / line.height as f32;
    if line.height == height {
        return ScaledLine { pixels: copy(line), width: line.width, height };
    }
    let scaled = |side: usize| ((factor * side as f32 + 0.5) as usize).max(1);
    let (width, height) = (scaled(line.width), scaled(line.height));
    // Leptonica compares the factor of single precision with constants of double precision.
    let factor = f64::from(factor);
    if factor < AREA_BELOW {
        let small = match HALVED.iter().position(|&divisor| line.height == divisor * height) {
            Some(halvings) if line.width >= HALVED[halvings] => halve(line, halvings + 1),
            _ => average_areas(line, width, height),
        };
        return if factor > SHARPEN_ABOVE { sharpen_narrow(&small) } else { small };
    }
    let large = interpolate(line, width, height);
    if factor < SHARPEN_BELOW { sharpen_wide(&large) } else { large }
}

fn copy(line: &GreyLine<'_>) -> Vec<u8> {
    (0..line.height).flat_map(|y| line.row(y)).copied().collect()
}

/// Halves the line `times`, each pixel the mean of four.
fn halve(line: &GreyLine<'_>, times: usize) -> ScaledLine {
    let mut scaled = ScaledLine { pixels: copy(line), width: line.width, height: line.height };
    for _ in 0..times {
        let (width, height) = (scaled.width / 2, scaled.height / 2);
        let mut pixels = Vec::with_capacity(width * height);
        for rows in scaled.pixels.chunks_exact(2 * scaled.width).take(height) {
            let (upper, lower) = rows.split_at(scaled.width);
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            pixels.extend(pairs.map(|(a, b)| (sum([a[0], a[1], b[0], b[1]]) / 4) as u8));
        }
        scaled = ScaledLine { pixels, width, height };
    }
    scaled
}

fn sum<const N: usize>(values: [u8; N]) -> u32 {
    values.iter().map(|&value| u32::from(value)).sum()
}

/// A span of source pixels in sixteenths: first pixel, sixteenths into it, last pixel, sixteenths of it.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    first_part: u32,
    last: usize,
    last_part: u32,
}

impl Span {
    /// What target pixel `index` covers; `step` is sixteenths of a source pixel a target pixel. Leptonica computes the
    /// start in single precision, the end in double; where a pixel ends on a boundary this decides.
    fn new(index: usize, step: f32) -> Self {
        let (start, end) = ((step * index as f32) as u32, (f64::from(step) * (index as f64 + 1.0)) as u32);
        Self {
            first: (start >> 4) as usize,
            first_part: start & 15,
            last: (end >> 4) as usize,
            last_part: end & 15,
        }
    }

    /// Sixteenths covered.
    fn length(self) -> u32 {
        ((self.last - self.first) as u32) * 16 + self.last_part - self.first_part
    }

    /// Whether the span ends before the last pixel but one; Leptonica copies a pixel beyond that.
    fn is_inside(self, side: usize) -> bool {
        self.last + 2 <= side
    }
}

/// Each pixel is the mean of the area that it covers.
fn average_areas(line: &GreyLine<'_>, width: usize, height: usize) -> ScaledLine {
    let step_x = 16.0 * line.width as f32 / width as f32;
    let step_y = 16.0 * line.height as f32 / height as f32;
    let columns: Vec<Span> = (0..width).map(|x| Span::new(x, step_x)).collect();
    let mut pixels = Vec::with_capacity(width * height);
    // Sums down each source column, in sixteenths; all values fit 24 bits (256 × 16 × rows of a crop).
    let mut sums = vec![0_u32; line.width];
    for y in 0..height {
        let rows = Span::new(y, step_y);
        let first_row = line.row(rows.first.min(line.height - 1));
        if !rows.is_inside(line.height) {
            pixels.extend(columns.iter().map(|span| first_row[span.first.min(line.width - 1)]));
            continue;
        }
        sum_columns(line, rows, &mut sums);
        pixels.extend(columns.iter().map(|&span| {
            if span.is_inside(line.width) {
                mean_of_area(&sums, span, rows.length())
            } else {
                first_row[span.first.min(line.width - 1)]
            }
        }));
    }
    ScaledLine { pixels, width, height }
}

fn sum_columns(line: &GreyLine<'_>, rows: Span, sums: &mut [u32]) {
    sums.fill(0);
    let mut add = |y: usize, weight: u32| {
        for (sum, &pixel) in sums.iter_mut().zip(line.row(y)) {
            *sum += weight * u32::from(pixel);
        }
    };
    add(rows.first, 16 - rows.first_part);
    (rows.first + 1..rows.last).for_each(|y| add(y, 16));
    if rows.last_part > 0 {
        add(rows.last, rows.last_part);
    }
}

fn mean_of_area(sums: &[u32], span: Span, rows_length: u32) -> u8 {
    let inner: u64 = sums[span.first + 1..span.last].iter().map(|&sum| u64::from(sum)).sum();
    let first = u64::from(16 - span.first_part) * u64::from(sums[span.first]);
    let last = u64::from(span.last_part) * u64::from(sums[span.last]);
    let area = u64::from(span.length()) * u64::from(rows_length);
    // Half a unit is 128 in Leptonica's sums, whatever the area.
    ((first + 16 * inner + last + 128) / area.max(1)).min(255) as u8
}

/// Each pixel is interpolated between the four around its place. Leptonica rounds the result, but cuts it off where lines
/// become exactly two or four times as high.
fn interpolate(line: &GreyLine<'_>, width: usize, height: usize) -> ScaledLine {
    let step_x = 16.0 * line.width as f32 / width as f32;
    let step_y = 16.0 * line.height as f32 / height as f32;
    let place = |step: f32, index: usize, side: usize| {
        let sixteenths = (step * index as f32) as usize;
        let first = (sixteenths >> 4).min(side - 1);
        (first, (first + 1).min(side - 1), (sixteenths & 15) as u32)
    };
    let columns: Vec<_> = (0..width).map(|x| place(step_x, x, line.width)).collect();
    let half = if height == 2 * line.height || height == 4 * line.height { 0 } else { 128 };
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        let (top, bottom, down) = place(step_y, y, line.height);
        let across = |y: usize, (left, right, part): (usize, usize, u32)| {
            (16 - part) * u32::from(line.at(left, y)) + part * u32::from(line.at(right, y))
        };
        pixels.extend(columns.iter().map(|&column| {
            (((16 - down) * across(top, column) + down * across(bottom, column) + half) >> 8) as u8
        }));
    }
    ScaledLine { pixels, width, height }
}

/// Unsharp masking with a window of 3 × 3 and a fifth of the difference.
fn sharpen_narrow(line: &ScaledLine) -> ScaledLine {
    sharpen::<1>(line, 0.2)
}

/// Unsharp masking with a window of 5 × 5 and two fifths of the difference.
fn sharpen_wide(line: &ScaledLine) -> ScaledLine {
    sharpen::<2>(line, 0.4)
}

/// Adds to each pixel `fraction` of its difference from the mean of the window of `HALF` pixels on each side. The
/// margin of `HALF` pixels stays as it is.
fn sharpen<const HALF: usize>(line: &ScaledLine, fraction: f32) -> ScaledLine {
    let mut sharp = line.clone();
    let (width, height, side) = (line.width, line.height, 2 * HALF + 1);
    if width < side || height < side {
        return sharp;
    }
    let norm = 1.0 / (side * side) as f32;
    let mut sums = vec![0_u16; width];
    for y in HALF..height - HALF {
        sums.fill(0);
        for row in line.pixels[(y - HALF) * width..].chunks_exact(width).take(side) {
            for (sum, &pixel) in sums.iter_mut().zip(row) {
                *sum += u16::from(pixel);
            }
        }
        let inner = y * width + HALF..(y + 1) * width - HALF;
        let pixels = sharp.pixels[inner.clone()].iter_mut().zip(&line.pixels[inner]);
        for ((target, &pixel), window) in pixels.zip(sums.windows(side)) {
            let mean = norm * f32::from(window.iter().sum::<u16>());
            let pixel = f32::from(pixel);
            *target = (pixel + fraction * (pixel - mean) + 0.5) as u8;
        }
    }
    sharp
}
