//! Puts documents together: heads, paragraphs, columns, tables, feet. What is written goes into the truth.

use super::chance::Chance;
use super::texts::Texts;
use super::typeset::{DPI, Face, HEIGHT, Sheet, Style, WIDTH};

/// Margins of the text in pixels.
pub(super) const LEFT: f64 = 300.0;
pub(super) const RIGHT: f64 = WIDTH as f64 - 200.0;
pub(super) const BOTTOM: f64 = HEIGHT as f64 - 240.0;

/// A page in the making.
pub(super) struct Composer<'a> {
    pub(super) sheet: Sheet<'a>,
    texts: &'a Texts,
    pub(super) style: Style,
    /// Baseline of the next line.
    pub(super) y: f64,
    /// What stands on the page, in reading order.
    pub(super) truth: Vec<String>,
    pub(super) cells: Vec<String>,
}

/// A table's cell: where it stands and what it says.
pub(super) struct TableCell {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) text: String,
}

/// How a table is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct TableLook {
    pub(super) ruled: bool,
    pub(super) header_rows: usize,
    /// Header rows are white on dark.
    pub(super) inverted: bool,
}

/// Space between a cell's wall and its text, in pixels.
const PADDING: f64 = 22.0;

impl<'a> Composer<'a> {
    pub(super) fn new(face: &'a Face, texts: &'a Texts, style: Style, seed: u64) -> Self {
        let sheet = Sheet::new(face, Chance::seeded(seed));
        Self { sheet, texts, style, y: 300.0, truth: Vec::new(), cells: Vec::new() }
    }

    pub(super) fn paragraph_text(&mut self) -> String {
        self.texts.paragraph(&mut self.sheet.chance)
    }

    pub(super) fn cell_text(&mut self, words_max: usize) -> String {
        self.texts.cell(&mut self.sheet.chance, words_max)
    }

    pub(super) fn amount(&mut self) -> String {
        Texts::amount(&mut self.sheet.chance)
    }

    fn down(&mut self, lines: f64) {
        self.y += self.style.leading() * lines;
    }

    /// The head of Decree 30/2020, and the document's kind and subject.
    pub(super) fn head(&mut self) {
        let head = self.texts.head(&mut self.sheet.chance);
        let (left, right) = (LEFT + 330.0, RIGHT - 540.0);
        for (at, pair) in head[..6].chunks(2).enumerate() {
            let style = self.style.of_size(if at == 2 { 12.5 } else { 11.5 });
            let bold = |bold| if bold { style.bold() } else { style };
            self.sheet.centred(&pair[0], left, self.y, bold(at == 1));
            self.sheet.centred(&pair[1], right, self.y, bold(at < 2));
            self.truth.extend(pair.iter().cloned());
            self.down(if at == 1 { 1.5 } else { 1.0 });
        }
        self.title(&head[6..]);
    }

    /// Centred lines in bold.
    pub(super) fn title(&mut self, lines: &[String]) {
        self.down(0.8);
        for line in lines {
            self.sheet.centred(line, f64::midpoint(LEFT, RIGHT), self.y, self.style.bold());
            self.truth.push(line.clone());
            self.down(1.0);
        }
        self.down(0.6);
    }

    /// A line by itself, set centred at `middle`.
    pub(super) fn entry(&mut self, text: &str, middle: f64, bold: bool) {
        let style = if bold { self.style.bold() } else { self.style };
        self.sheet.centred(text, middle, self.y, style);
        self.truth.push(text.to_owned());
        self.down(1.0);
    }

    /// A paragraph between `left` and `right`, as far as it fits above `bottom`.
    pub(super) fn paragraph(&mut self, text: &str, left: f64, right: f64, bottom: f64) {
        let indent = 90.0_f64.min((right - left) * 0.08);
        let words: Vec<&str> = text.split(' ').collect();
        let first = self.first_line(&words, right - left - indent);
        let rest = words[first..].join(" ");
        let mut lines = vec![words[..first].join(" ")];
        if !rest.is_empty() {
            lines.extend(self.sheet.wrapped(&rest, right - left, self.style));
        }
        let last = lines.len() - 1;
        let mut written = Vec::new();
        for (at, line) in lines.into_iter().enumerate() {
            if self.y > bottom {
                break;
            }
            let x = if at == 0 { left + indent } else { left };
            if at == last || self.style.uneven {
                self.sheet.write(&line, x, self.y, self.style);
            } else {
                self.sheet.spread(&line, x, right - x, self.y, self.style);
            }
            written.push(line);
            self.down(1.0);
        }
        self.truth.extend((!written.is_empty()).then(|| written.join(" ")));
        self.down(0.25);
    }

    /// How many words fit into the first line.
    fn first_line(&self, words: &[&str], width: f64) -> usize {
        let fits = |count: &usize| self.sheet.width(&words[..*count].join(" "), self.style) <= width;
        (1..=words.len()).take_while(fits).last().unwrap_or(1)
    }

    /// Paragraphs down to `bottom`.
    pub(super) fn body(&mut self, left: f64, right: f64, bottom: f64) {
        while self.y < bottom {
            let text = self.paragraph_text();
            self.paragraph(&text, left, right, bottom);
        }
    }

    /// Recipients on the left, position and name on the right.
    pub(super) fn foot(&mut self) {
        let (top, small) = (self.y + 30.0, self.style.of_size(11.0));
        let recipients = [
            "Nơi nhận:",
            "- Thường trực Tỉnh ủy, HĐND tỉnh;",
            "- Các sở, ban, ngành tỉnh;",
            "- Lưu: VT, KSTT.",
        ];
        for (at, line) in recipients.iter().enumerate() {
            let style = if at == 0 { small.bold() } else { small };
            self.sheet.write(line, LEFT, top + small.leading() * at as f64, style);
            self.truth.push((*line).to_owned());
        }
        for (line, y) in [("GIÁM ĐỐC", top), ("Phạm Quỳnh Như", top + 330.0)] {
            self.sheet.centred(line, RIGHT - 420.0, y, self.style.bold());
            self.truth.push(line.to_owned());
        }
        self.y = top + 400.0;
    }

    /// A table whose columns take the given parts of the width. Cells come row by row.
    pub(super) fn table(&mut self, parts: &[f64], cells: &[TableCell], look: TableLook) {
        let style = self.style.of_size(12.0);
        let total: f64 = parts.iter().sum();
        let mut xs = vec![LEFT];
        for part in parts {
            xs.push(xs[xs.len() - 1] + (RIGHT - LEFT) * part / total);
        }
        let rows = cells.iter().map(|cell| cell.row + cell.rows).max().unwrap_or(0);
        let width = |cell: &TableCell| xs[cell.column + cell.columns] - xs[cell.column] - 2.0 * PADDING;
        let wrapped: Vec<Vec<String>> =
            cells.iter().map(|cell| self.sheet.wrapped(&cell.text, width(cell), style)).collect();
        let mut heights = vec![1_usize; rows];
        for (cell, lines) in cells.iter().zip(&wrapped).filter(|(cell, _)| cell.rows == 1) {
            heights[cell.row] = heights[cell.row].max(lines.len());
        }
        let top = self.y - style.leading() * 0.5;
        let mut ys = vec![top];
        for lines in heights {
            ys.push(ys[ys.len() - 1] + lines as f64 * style.leading() + 26.0);
        }
        for (cell, lines) in cells.iter().zip(&wrapped) {
            let (left, right) = (xs[cell.column], xs[cell.column + cell.columns]);
            let (top, bottom) = (ys[cell.row], ys[cell.row + cell.rows]);
            let head = cell.row < look.header_rows;
            if head && look.inverted {
                self.sheet.fill(left, top, right, bottom, 70);
            }
            if look.ruled {
                self.frame(left, top, right, bottom);
            }
            let style =
                Style { bold: head, ink: if head && look.inverted { 255 } else { style.ink }, ..style };
            let inner = bottom - top - lines.len() as f64 * style.leading();
            let mut y = top + inner / 2.0 + style.leading() * 0.75;
            for line in lines {
                let amount = cell.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let own = self.sheet.width(line, style);
                let x = match (head, amount) {
                    (true, _) => f64::midpoint(left, right) - own / 2.0,
                    (false, true) => right - PADDING - own,
                    (false, false) => left + PADDING,
                };
                self.sheet.write(line, x, y, style);
                y += style.leading();
            }
            self.truth.push(cell.text.clone());
            self.cells.push(cell.text.clone());
        }
        self.y = ys[ys.len() - 1] + style.leading() * 1.4;
    }

    fn frame(&mut self, left: f64, top: f64, right: f64, bottom: f64) {
        let ink = self.style.ink;
        for y in [top, bottom] {
            self.sheet.fill(left - 2.0, y - 2.0, right + 2.0, y + 2.0, ink);
        }
        for x in [left, right] {
            self.sheet.fill(x - 2.0, top, x + 2.0, bottom, ink);
        }
    }
}

/// Millimetres in pixels of a sheet.
pub(super) fn millimetres(length: f64) -> f64 {
    length / 25.4 * DPI
}
