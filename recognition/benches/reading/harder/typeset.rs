//! Sets text on a sheet of A4.

use std::error::Error;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};
use pagemill_recognition::prepare::grey::Grey;
use unicode_normalization::UnicodeNormalization;

use super::chance::Chance;

/// Resolution at which pages are set, in pixels per inch.
pub(super) const DPI: f64 = 300.0;

/// Size of A4 in pixels.
pub(super) const WIDTH: usize = 2480;
pub(super) const HEIGHT: usize = 3508;

/// Where fonts lie; the packages that bring them are in `scripts/setup.sh bench`.
const FONT_FOLDERS: [&str; 2] = ["/usr/share/fonts", "/usr/local/share/fonts"];

/// A typeface, regular and bold.
pub(super) struct Face {
    regular: FontVec,
    bold: FontVec,
}

impl Face {
    pub(super) fn load(family: &str, regular: &str, bold: &str) -> Result<Self, Box<dyn Error>> {
        let load = |style: &str| -> Result<FontVec, Box<dyn Error>> {
            let name = format!("{family}{style}.ttf");
            let file = FONT_FOLDERS.iter().find_map(|folder| find(Path::new(folder), &name));
            let file =
                file.ok_or_else(|| format!("the font {name} is missing: run scripts/setup.sh bench"))?;
            Ok(FontVec::try_from_vec(std::fs::read(file)?)?)
        };
        Ok(Self { regular: load(regular)?, bold: load(bold)? })
    }

    fn font(&self, bold: bool) -> &FontVec {
        if bold { &self.bold } else { &self.regular }
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    let here = entries.iter().find(|path| path.file_name().is_some_and(|file| file == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|folder| find(folder, name)))
}

/// How text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Size in points.
    pub(super) points: f64,
    pub(super) bold: bool,
    /// Shade of the print, 0 black.
    pub(super) ink: u8,
    /// A typewriter's: letters dance and are struck with unequal force.
    pub(super) uneven: bool,
}

impl Style {
    pub(super) const BODY: Self = Self { points: 13.0, bold: false, ink: 40, uneven: false };

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn of_size(self, points: f64) -> Self {
        Self { points, ..self }
    }

    fn pixels(self) -> f64 {
        self.points * DPI / 72.0
    }

    /// From baseline to baseline.
    pub(super) fn leading(self) -> f64 {
        self.pixels() * 1.3
    }
}

/// A sheet that is being written on.
pub(super) struct Sheet<'a> {
    pub(super) grey: Grey,
    pub(super) face: &'a Face,
    pub(super) chance: Chance,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(face: &'a Face, chance: Chance) -> Self {
        Self { grey: Grey::filled(WIDTH, HEIGHT, 255), face, chance }
    }

    pub(super) fn width(&self, text: &str, style: Style) -> f64 {
        let font = self.face.font(style.bold);
        let scaled = font.as_scaled(scale(font, style));
        text.nfc().map(|letter| f64::from(scaled.h_advance(font.glyph_id(letter)))).sum()
    }

    /// Writes one line; `x` is its left end.
    pub(super) fn write(&mut self, text: &str, x: f64, baseline: f64, style: Style) {
        let font = self.face.font(style.bold);
        let scale = scale(font, style);
        let mut x = x;
        for letter in text.nfc() {
            let id = font.glyph_id(letter);
            let (mut dy, mut force) = (0.0, 1.0);
            if style.uneven {
                (dy, force) = (self.chance.normal() * 1.3, self.chance.between(0.7, 1.0));
            }
            let glyph = id.with_scale_and_position(scale, point(x as f32, (baseline + dy) as f32));
            if let Some(outline) = font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                let grey = &mut self.grey;
                outline.draw(|column, row, covered| {
                    let (column, row) = (column as i32 + corner.x as i32, row as i32 + corner.y as i32);
                    if (0..grey.width as i32).contains(&column) && (0..grey.height as i32).contains(&row) {
                        let sample = &mut grey.row_mut(row as usize)[column as usize];
                        let covered = f64::from(covered.min(1.0)) * force;
                        *sample =
                            (f64::from(*sample) * (1.0 - covered) + f64::from(style.ink) * covered) as u8;
                    }
                });
            }
            x += f64::from(font.as_scaled(scale).h_advance(id));
        }
    }

    pub(super) fn centred(&mut self, text: &str, middle: f64, baseline: f64, style: Style) {
        self.write(text, middle - self.width(text, style) / 2.0, baseline, style);
    }

    /// Breaks a text into lines of at most `width`.
    pub(super) fn wrapped(&self, text: &str, width: f64, style: Style) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            if let Some(line) = lines.last_mut()
                && self.width(&format!("{line} {word}"), style) <= width
            {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
        lines
    }

    /// Writes a line whose words are spread over `width`.
    pub(super) fn spread(&mut self, text: &str, x: f64, width: f64, baseline: f64, style: Style) {
        let words: Vec<&str> = text.split(' ').collect();
        let own: f64 = words.iter().map(|word| self.width(word, style)).sum();
        let space = (width - own) / (words.len().max(2) - 1) as f64;
        let mut x = x;
        for word in words {
            self.write(word, x, baseline, style);
            x += self.width(word, style) + space;
        }
    }

    pub(super) fn fill(&mut self, left: f64, top: f64, right: f64, bottom: f64, shade: u8) {
        let clip = |edge: f64, length: usize| (edge.max(0.0) as usize).min(length);
        let (left, right) = (clip(left, WIDTH), clip(right, WIDTH));
        for y in clip(top, HEIGHT)..clip(bottom, HEIGHT) {
            self.grey.row_mut(y)[left..right].fill(shade);
        }
    }
}

fn scale(font: &FontVec, style: Style) -> PxScale {
    let units = font.units_per_em().unwrap_or(1000.0);
    PxScale::from((style.pixels() * f64::from(font.height_unscaled() / units)) as f32)
}
