//! Tables that run over pages. One page shows it where a table at its head starts with a row of values, not of titles.

use pagemill_domain::page_text::{Cell, Line};

/// Columns in which both the first and the second row have a number, at least: titles seldom are numbers.
const NUMBERED_COLUMNS_MIN: usize = 1;

/// Whether the first row is one like the second, so that its titles stand on the page before.
pub(super) fn starts_with_values(cells: &[Cell]) -> bool {
    let numbers = |row: u32| -> Vec<(u32, String)> {
        let own = cells.iter().filter(|cell| cell.row == row && cell.row_span == 1);
        own.map(|cell| (cell.column, text(cell))).filter(|(_, text)| is_number(text)).collect()
    };
    let (first, second) = (numbers(0), numbers(1));
    let values = first.iter().filter(|one| !is_year(&one.1));
    let alike = values.filter(|one| second.iter().any(|other| other.0 == one.0)).count();
    alike >= NUMBERED_COLUMNS_MIN && !counts_columns(&first)
}

/// Titles may be followed, or replaced, by a row that numbers the columns: "1 2 3", "(1) (2) (3)".
fn counts_columns(numbers: &[(u32, String)]) -> bool {
    let counted = |(column, text): &(u32, String)| digits(text).parse() == Ok(column + 1);
    numbers.len() > 1 && numbers.iter().all(counted)
}

/// Years head columns as words do.
fn is_year(text: &str) -> bool {
    text.len() == 4 && text.parse().is_ok_and(|year: u32| (1900..2100).contains(&year))
}

fn text(cell: &Cell) -> String {
    cell.lines.iter().map(Line::text).collect::<Vec<_>>().join(" ")
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Digits with the signs that amounts, dates and running numbers have.
fn is_number(text: &str) -> bool {
    !digits(text).is_empty() && text.chars().all(|sign| sign.is_ascii_digit() || ".,:/%()- ".contains(sign))
}

#[cfg(test)]
mod tests {
    use pagemill_domain::geometry::{Rect, Turn};
    use pagemill_domain::page_text::{Baseline, Confidence, Word};

    use super::*;

    fn table(rows: &[&[&str]]) -> Vec<Cell> {
        let cell = |row: usize, column: usize, text: &str| Cell {
            row: row as u32,
            column: column as u32,
            row_span: 1,
            column_span: 1,
            header: row == 0,
            bounds: Rect::default(),
            lines: vec![Line {
                bounds: Rect::default(),
                baseline: Baseline::default(),
                turn: Turn::None,
                words: text
                    .split_whitespace()
                    .map(|word| Word {
                        text: word.into(),
                        bounds: Rect::default(),
                        confidence: Confidence::FULL,
                        suspect: false,
                    })
                    .collect(),
            }],
        };
        let rows = rows.iter().enumerate();
        rows.flat_map(|(row, texts)| texts.iter().enumerate().map(move |(at, text)| cell(row, at, text)))
            .collect()
    }

    #[test]
    fn a_row_of_values_on_top_goes_on_and_titles_do_not() {
        assert!(starts_with_values(&table(&[&["7", "Sở Y tế", "1.014"], &["8", "Sở Nội vụ", "2.816"]])));
        assert!(starts_with_values(&table(&[&["Đường", "12,5 %"], &["Cầu", "7 %"]])));
        assert!(!starts_with_values(&table(&[&["TT", "Nội dung", "Kinh phí"], &["1", "Sở Y tế", "1.014"]])));
        assert!(!starts_with_values(&table(&[&["TT", "Năm 2021"], &["1", "2.816"]])));
        assert!(!starts_with_values(&table(&[&["TT", "2021", "2022"], &["1", "2.816", "3.014"]])));
        assert!(!starts_with_values(&table(&[&["(1)", "(2)", "(3)"], &["1", "Sở Y tế", "1.014"]])));
        assert!(!starts_with_values(&table(&[&["1", "2.816"]])), "a single row tells nothing");
    }
}
