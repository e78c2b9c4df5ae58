//! The kinds of harder pages.

use pagemill_domain::geometry::Turn;
use pagemill_recognition::prepare::grey::Grey;
use pagemill_recognition::prepare::{scale, turn};

use super::Made;
use super::chance::Chance;
use super::compose::{BOTTOM, Composer, LEFT, RIGHT, TableCell, TableLook};
use super::texts::Texts;
use super::typeset::{DPI, Face, HEIGHT, Style, WIDTH};
use super::wear;

type Maker = fn(&Face, &Texts, u64) -> Made;

/// Each kind by its name.
pub(super) const ALL: [(&str, Maker); 16] = [
    ("merged cells", merged_cells),
    ("borderless table", borderless_table),
    ("two columns", two_columns),
    ("bitonal 200 dpi", bitonal),
    ("typewriter", typewriter),
    ("old layout", old_layout),
    ("grey stamps", grey_stamps),
    ("folds", folds),
    ("upside down", upside_down),
    ("sideways", sideways),
    ("blank back", blank_back),
    ("inverted areas", inverted_areas),
    ("borders and holes", borders_and_holes),
    ("show-through", show_through),
    ("wrong dpi", wrong_dpi),
    ("notes in the margin", margin_notes),
];

/// Kinds that were written before there were computers.
pub(super) fn of_typewriters(kind: &str) -> bool {
    ["typewriter", "old layout"].contains(&kind)
}

/// Deviation of the scanner's noise, in shades.
const NOISE: f64 = 6.0;

fn finish(composer: Composer<'_>, change: impl FnOnce(Grey, &mut Chance) -> Grey) -> Made {
    let mut luck = composer.sheet.chance;
    let grey = change(composer.sheet.grey, &mut luck);
    Made { grey, dpi: DPI as u32, truth: composer.truth, cells: composer.cells }
}

fn scan(grey: &Grey, chance: &mut Chance) -> Grey {
    wear::scanned(grey, chance, NOISE)
}

/// Head, body and foot.
fn letter<'a>(face: &'a Face, texts: &'a Texts, style: Style, seed: u64) -> Composer<'a> {
    let mut page = Composer::new(face, texts, style, seed);
    page.head();
    page.body(LEFT, RIGHT, BOTTOM - 560.0);
    page.foot();
    page
}

fn merged_cells(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, Style::BODY, seed);
    let text = page.paragraph_text();
    page.paragraph(&text, LEFT, RIGHT, BOTTOM);
    let at =
        |row, column, rows, columns, text: &str| TableCell { row, column, rows, columns, text: text.into() };
    let mut cells = vec![
        at(0, 0, 2, 1, "TT"),
        at(0, 1, 2, 1, "Nội dung nhiệm vụ"),
        at(0, 2, 1, 2, "Kinh phí (triệu đồng)"),
        at(0, 4, 2, 1, "Đơn vị chủ trì"),
        at(1, 2, 1, 1, "Năm 2021"),
        at(1, 3, 1, 1, "Năm 2022"),
    ];
    for group in 0..3 {
        let first = 2 + group * 4;
        cells.push(at(first, 0, 1, 1, ["I", "II", "III"][group]));
        cells.push(at(first, 1, 1, 4, &page.cell_text(8)));
        for row in first + 1..first + 4 {
            cells.push(at(row, 0, 1, 1, &(row - first).to_string()));
            cells.push(at(row, 1, 1, 1, &page.cell_text(9)));
            cells.push(at(row, 2, 1, 1, &page.amount()));
            cells.push(at(row, 3, 1, 1, &page.amount()));
            // One office answers for the whole group.
            if row == first + 1 {
                cells.push(at(row, 4, 3, 1, &page.cell_text(6)));
            }
        }
    }
    cells.push(at(14, 0, 1, 2, "Tổng cộng"));
    cells.push(at(14, 2, 1, 1, &page.amount()));
    cells.push(at(14, 3, 1, 1, &page.amount()));
    let look = TableLook { ruled: true, header_rows: 2, inverted: false };
    page.table(&[0.7, 4.0, 1.5, 1.5, 2.4], &cells, look);
    page.body(LEFT, RIGHT, (page.y + 400.0).min(BOTTOM));
    finish(page, |grey, chance| scan(&grey, chance))
}

fn plain_rows(page: &mut Composer<'_>, header: &[&str], rows: usize) -> Vec<TableCell> {
    let at = |row, column, text: String| TableCell { row, column, rows: 1, columns: 1, text };
    let mut cells: Vec<TableCell> =
        header.iter().enumerate().map(|(column, text)| at(0, column, (*text).to_owned())).collect();
    for row in 1..=rows {
        cells.push(at(row, 0, row.to_string()));
        cells.push(at(row, 1, page.cell_text(10)));
        cells.push(at(row, 2, page.cell_text(5)));
        cells.push(at(row, 3, page.amount()));
    }
    cells
}

const HEADER: [&str; 4] = ["TT", "Nội dung nhiệm vụ", "Đơn vị chủ trì", "Kinh phí"];
const PARTS: [f64; 4] = [0.7, 4.4, 3.0, 1.6];

fn borderless_table(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, Style::BODY, seed);
    page.body(LEFT, RIGHT, 700.0);
    let cells = plain_rows(&mut page, &HEADER, 12);
    let look = TableLook { ruled: false, header_rows: 1, inverted: false };
    page.table(&PARTS, &cells, look);
    page.body(LEFT, RIGHT, (page.y + 400.0).min(BOTTOM));
    finish(page, |grey, chance| scan(&grey, chance))
}

fn inverted_areas(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, Style::BODY, seed);
    let title = "KẾ HOẠCH ỨNG DỤNG CÔNG NGHỆ THÔNG TIN";
    let style = Style { ink: 255, ..page.style.bold() };
    page.sheet.fill(LEFT, page.y - 70.0, RIGHT, page.y + 40.0, 60);
    page.sheet.centred(title, f64::midpoint(LEFT, RIGHT), page.y, style);
    page.truth.push(title.to_owned());
    page.y += 130.0;
    page.body(LEFT, RIGHT, 1000.0);
    let cells = plain_rows(&mut page, &HEADER, 8);
    let look = TableLook { ruled: true, header_rows: 1, inverted: true };
    page.table(&PARTS, &cells, look);
    page.body(LEFT, RIGHT, BOTTOM);
    finish(page, |grey, chance| scan(&grey, chance))
}

fn two_columns(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, Style::BODY.of_size(11.0), seed);
    page.title(&["BẢN TIN CÔNG NGHỆ THÔNG TIN".to_owned(), "Số 12, tháng 5 năm 2019".to_owned()]);
    let (top, gap) = (page.y, 90.0);
    let middle = f64::midpoint(LEFT, RIGHT);
    page.body(LEFT, middle - gap / 2.0, BOTTOM);
    page.y = top;
    page.body(middle + gap / 2.0, RIGHT, BOTTOM - 300.0);
    finish(page, |grey, chance| scan(&grey, chance))
}

fn bitonal(face: &Face, texts: &Texts, seed: u64) -> Made {
    let page = letter(face, texts, Style::BODY, seed);
    let made = finish(page, |grey, chance| {
        let coarse = scale::to_size(&scan(&grey, chance), WIDTH * 2 / 3, HEIGHT * 2 / 3);
        wear::bitonal(&coarse, 150)
    });
    Made { dpi: 200, ..made }
}

const TYPEWRITER: Style = Style { points: 11.5, bold: false, ink: 30, uneven: true };

fn typewriter(face: &Face, texts: &Texts, seed: u64) -> Made {
    finish(letter(face, texts, TYPEWRITER, seed), |grey, chance| scan(&grey, chance))
}

/// The issuing body and number alone at the top left, place and date above the signature.
fn old_layout(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, TYPEWRITER, seed);
    for line in ["ỦY BAN HÀNH CHÍNH", "TỈNH HẢI DƯƠNG", "Số: 42 UB/VX"] {
        page.entry(line, LEFT + 330.0, false);
    }
    page.title(&["BÁO CÁO".to_owned(), "Tình hình thực hiện kế hoạch năm 1974".to_owned()]);
    page.body(LEFT, RIGHT, BOTTOM - 700.0);
    for line in ["Hải Dương, ngày 24 tháng 5 năm 1974", "T.M. ỦY BAN HÀNH CHÍNH", "PHÓ CHỦ TỊCH"]
    {
        page.entry(line, RIGHT - 540.0, false);
    }
    page.y += 250.0;
    page.entry("Nguyễn Văn Thành", RIGHT - 540.0, false);
    finish(page, |grey, chance| scan(&grey, chance))
}

fn grey_stamps(face: &Face, texts: &Texts, seed: u64) -> Made {
    let page = letter(face, texts, Style::BODY, seed);
    finish(page, |mut grey, chance| {
        let body = chance.between(1200.0, 2000.0);
        for (x, y) in [(RIGHT - 560.0, BOTTOM - 260.0), (LEFT + 700.0, body)] {
            wear::stamp(&mut grey, chance, face, x, y);
        }
        scan(&grey, chance)
    })
}

fn folds(face: &Face, texts: &Texts, seed: u64) -> Made {
    let page = letter(face, texts, Style::BODY, seed);
    finish(page, |grey, chance| scan(&wear::folded(&grey, chance), chance))
}

fn upside_down(face: &Face, texts: &Texts, seed: u64) -> Made {
    finish(letter(face, texts, Style::BODY, seed), |grey, chance| {
        turn::by_quarters(&scan(&grey, chance), Turn::Half)
    })
}

fn sideways(face: &Face, texts: &Texts, seed: u64) -> Made {
    let lies = if seed.is_multiple_of(2) { Turn::Left } else { Turn::Right };
    finish(letter(face, texts, Style::BODY, seed), |grey, chance| {
        turn::by_quarters(&scan(&grey, chance), lies)
    })
}

/// Nothing but what shines through, and holes.
fn blank_back(face: &Face, texts: &Texts, seed: u64) -> Made {
    let front = letter(face, texts, Style::BODY, seed).sheet;
    let mut chance = front.chance;
    let mut grey = Grey::filled(WIDTH, HEIGHT, 255);
    wear::show_through(&mut grey, &front.grey, 9);
    wear::bordered(&mut grey, &mut chance);
    Made { grey: scan(&grey, &mut chance), dpi: DPI as u32, truth: Vec::new(), cells: Vec::new() }
}

fn borders_and_holes(face: &Face, texts: &Texts, seed: u64) -> Made {
    finish(letter(face, texts, Style::BODY, seed), |mut grey, chance| {
        wear::bordered(&mut grey, chance);
        scan(&grey, chance)
    })
}

fn show_through(face: &Face, texts: &Texts, seed: u64) -> Made {
    let back = letter(face, texts, Style::BODY, seed + 500).sheet.grey;
    // From about 30 on it is as dark as what layout takes for ink.
    let percent = if seed.is_multiple_of(2) { 33 } else { 24 };
    finish(letter(face, texts, Style::BODY, seed), |mut grey, chance| {
        wear::show_through(&mut grey, &back, percent);
        scan(&grey, chance)
    })
}

/// A photo of a page, say: the file claims 72 or 600 dpi.
fn wrong_dpi(face: &Face, texts: &Texts, seed: u64) -> Made {
    let made = finish(letter(face, texts, Style::BODY, seed), |grey, chance| scan(&grey, chance));
    Made { dpi: if seed.is_multiple_of(2) { 72 } else { 600 }, ..made }
}

/// A running head, a page number, and notes in the margin beside the text.
fn margin_notes(face: &Face, texts: &Texts, seed: u64) -> Made {
    let mut page = Composer::new(face, texts, Style::BODY, seed);
    page.y = 190.0;
    page.entry("12", f64::midpoint(LEFT, RIGHT), false);
    page.y = 330.0;
    let left = LEFT + 420.0;
    page.body(left, RIGHT, BOTTOM);
    let (style, body) = (page.style.of_size(9.0), page.truth.len());
    let mut notes = Vec::new();
    for (text, y) in [("Đã nhận ngày 15/6/2019", 700.0), ("Chuyển phòng TC-KH xem xét, trả lời", 1900.0)]
    {
        for (at, line) in page.sheet.wrapped(text, 300.0, style).iter().enumerate() {
            page.sheet.write(line, 130.0, y + style.leading() * at as f64, style);
        }
        notes.push(text.to_owned());
    }
    page.truth.splice(body..body, notes);
    finish(page, |grey, chance| scan(&grey, chance))
}
