//! Pages of boxes in place of letters: where they lie is all that layout looks at.

use super::*;
use crate::prepare::GROUND;

const DPI: u32 = 170;
const WIDTH: usize = 1400;
const HEIGHT: usize = 1980;

fn page() -> Grey {
    Grey::filled(WIDTH, HEIGHT, GROUND)
}

fn fill(page: &mut Grey, left: usize, top: usize, width: usize, height: usize) {
    for y in top..top + height {
        page.row_mut(y)[left..left + width].fill(20);
    }
}

/// Words of four letters from `left` on, as many as fit before `right`.
fn write(page: &mut Grey, left: usize, right: usize, baseline: usize) {
    let mut x = left;
    let mut letter = 0;
    while x + 10 <= right {
        fill(page, x, baseline - 14, 9, 14);
        letter += 1;
        x += if letter % 4 == 0 { 20 } else { 12 };
    }
}

/// Left edge, baseline and zone of every line, in reading order.
fn order(page: &Grey) -> Vec<(i32, i32, Zone)> {
    let layout = analyse(page, DPI, GROUND, true);
    let lines = layout.regions.iter().flat_map(|region| match region {
        Region::Text { zone, lines } => lines.iter().map(|line| (*zone, *line)).collect::<Vec<_>>(),
        Region::Table { .. } => Vec::new(),
    });
    lines.map(|(zone, line)| (line.bounds.left, line.baseline.0 as i32, zone)).collect()
}

#[test]
fn two_columns_are_read_one_after_the_other() {
    let mut page = page();
    write(&mut page, 150, 1250, 600);
    for row in 0..8 {
        write(&mut page, 150, 660, 700 + row * 30);
        write(&mut page, 740, 1250, 700 + row * 30);
    }
    let order = order(&page);
    let zones: Vec<Zone> = order.iter().map(|line| line.2).collect();
    let mut wanted = vec![Zone::Body];
    wanted.extend([Zone::Left; 8]);
    wanted.extend([Zone::Right; 8]);
    assert_eq!(zones, wanted);
    let baselines: Vec<i32> = order[1..9].iter().map(|line| line.1).collect();
    assert!(baselines.is_sorted(), "{baselines:?}");
}

#[test]
fn a_head_is_read_row_by_row() {
    let mut page = page();
    for row in 0..3 {
        write(&mut page, 200, 480 - row * 40, 150 + row * 45);
        write(&mut page, 620, 1250 - row * 90, 150 + row * 45);
    }
    for row in 0..5 {
        write(&mut page, 150, 1250, 400 + row * 32);
    }
    let lefts: Vec<i32> = order(&page).iter().take(6).map(|line| line.0).collect();
    assert_eq!(lefts, [200, 620, 200, 620, 200, 620]);
}

#[test]
fn a_name_under_the_signature_belongs_to_the_right_column() {
    let mut page = page();
    for row in 0..6 {
        write(&mut page, 150, 1250, 1000 + row * 32);
    }
    for row in 0..4 {
        write(&mut page, 150, 520, 1260 + row * 28);
    }
    write(&mut page, 850, 1200, 1262);
    write(&mut page, 880, 1170, 1480);
    let order = order(&page);
    assert_eq!(order[6..10].iter().filter(|line| line.2 == Zone::Left).count(), 4, "{order:?}");
    assert_eq!(
        order[10..].iter().map(|line| (line.0, line.2)).collect::<Vec<_>>(),
        [(850, Zone::Right), (880, Zone::Right)]
    );
}

#[test]
fn cells_hold_their_own_lines() {
    let mut page = page();
    for y in [800, 880, 960] {
        fill(&mut page, 150, y, 1003, 3);
    }
    for x in [150, 400, 1150] {
        fill(&mut page, x, 800, 3, 163);
    }
    for (row, top) in [830, 910].into_iter().enumerate() {
        write(&mut page, 170, 300, top);
        write(&mut page, 420, 1000, top);
        if row == 1 {
            write(&mut page, 420, 700, top + 30);
        }
    }
    for row in 0..4 {
        write(&mut page, 150, 1250, 600 + row * 32);
        write(&mut page, 150, 1250, 1100 + row * 32);
    }
    let layout = analyse(&page, DPI, GROUND, true);
    let tables: Vec<Vec<usize>> = layout
        .regions
        .iter()
        .filter_map(|region| match region {
            Region::Table { cells, .. } => Some(cells.iter().map(Vec::len).collect()),
            Region::Text { .. } => None,
        })
        .collect();
    assert_eq!(tables, [[1, 1, 1, 2]]);
    assert!(matches!(layout.regions[1], Region::Table { .. }), "the table stands between the texts");
}

#[test]
fn marks_go_with_the_line_that_they_are_close_to() {
    let mut page = page();
    for row in 0..3 {
        write(&mut page, 150, 1250, 600 + row * 34);
    }
    // An accent over the second line and a dot under the first.
    fill(&mut page, 200, 612, 6, 4);
    fill(&mut page, 300, 602, 3, 3);
    let tops: Vec<(i32, i32)> = analyse(&page, DPI, GROUND, true)
        .regions
        .iter()
        .flat_map(|region| match region {
            Region::Text { lines, .. } => {
                lines.iter().map(|line| (line.bounds.top, line.bounds.bottom)).collect()
            }
            Region::Table { .. } => Vec::new(),
        })
        .collect();
    assert_eq!(tops, [(586, 605), (612, 634), (654, 668)]);
}

#[test]
fn columns_are_read_one_by_one_although_their_lines_stand_at_other_heights() {
    let mut page = page();
    write(&mut page, 400, 1000, 150);
    for row in 0..30 {
        write(&mut page, 150, 660, 250 + row * 30);
        write(&mut page, 740, 1250, 264 + row * 31);
    }
    let zones: Vec<Zone> = order(&page).iter().map(|line| line.2).collect();
    let mut wanted = vec![Zone::Body];
    wanted.extend([Zone::Left; 30]);
    wanted.extend([Zone::Right; 30]);
    assert_eq!(zones, wanted);
}

#[test]
fn notes_in_the_margin_come_after_the_text() {
    let mut page = page();
    for row in 0..20 {
        write(&mut page, 400, 1250, 300 + row * 32);
    }
    write(&mut page, 60, 180, 470);
    write(&mut page, 60, 200, 496);
    let order = order(&page);
    assert!(order[..20].iter().all(|line| line.0 == 400 && line.2 == Zone::Body), "{order:?}");
    assert_eq!(order[20..].iter().map(|line| (line.0, line.2)).collect::<Vec<_>>(), [(60, Zone::Margin); 2]);
}

/// Rows, columns and the number of lines of each cell of the page's tables.
fn tables(page: &Grey) -> Vec<(usize, usize, Vec<usize>)> {
    let layout = analyse(page, DPI, GROUND, true);
    let table = |region: &Region| match region {
        Region::Table { grid, cells } => {
            Some((grid.rows, grid.columns, cells.iter().map(Vec::len).collect()))
        }
        Region::Text { .. } => None,
    };
    layout.regions.iter().filter_map(table).collect()
}

#[test]
fn aligned_columns_are_a_table_whose_cells_may_wrap() {
    let mut page = page();
    for row in 0..4 {
        write(&mut page, 150, 1250, 400 + row * 32);
        write(&mut page, 150, 1250, 1000 + row * 32);
    }
    // The end of a paragraph, close above.
    write(&mut page, 150, 420, 528);
    for row in 0..5 {
        let middle = 600 + row * 70;
        write(&mut page, 150, 180, middle);
        write(&mut page, 900, 1000, middle);
        if row == 2 {
            write(&mut page, 300, 700, middle - 15);
            write(&mut page, 300, 500, middle + 15);
        } else {
            write(&mut page, 300, 600, middle);
        }
    }
    assert_eq!(tables(&page), [(5, 3, vec![1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1])]);
    let texts = order(&page);
    assert_eq!(texts.len(), 9, "the paragraph's end is no row: {texts:?}");
}

#[test]
fn a_head_without_walls_on_a_ruled_table_is_split_where_its_columns_are() {
    let mut page = page();
    for y in [800, 850, 900, 950] {
        fill(&mut page, 150, y, 1003, 3);
    }
    for (x, top) in [(150, 800), (400, 850), (800, 850), (1150, 800)] {
        fill(&mut page, x, top, 3, 953 - top);
    }
    for baseline in [832, 882, 932] {
        write(&mut page, 180, 300, baseline);
        write(&mut page, 440, 700, baseline);
        write(&mut page, 840, 1000, baseline);
    }
    assert_eq!(tables(&page), [(3, 3, vec![1; 9])]);
}

#[test]
fn a_crease_through_a_line_leaves_the_line() {
    let mut page = page();
    for row in 0..6 {
        write(&mut page, 150, 1250, 600 + row * 32);
    }
    fill(&mut page, 0, 656, WIDTH, 3);
    assert_eq!(order(&page).len(), 6);
}
