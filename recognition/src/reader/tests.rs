use pagemill_domain::geometry::{Rect, Turn};
use pagemill_domain::page_text::PageText;
use pagemill_domain::recipe::Recipe;
use pagemill_domain::scan::Dpi;

use super::*;
use crate::prepare::grey::Grey;
use crate::prepare::{scale, turn};
use crate::scan::Scan;

fn reader() -> Reader {
    Reader::load(&Recipe::default(), &ModelDir::find(None)).unwrap()
}

fn sample(name: &str) -> Grey {
    let path = format!("{}/../samples/{name}.jpg", env!("CARGO_MANIFEST_DIR"));
    let decoded = image::ImageReader::open(path).unwrap().decode().unwrap().into_luma8();
    Grey { width: decoded.width() as usize, height: decoded.height() as usize, samples: decoded.into_raw() }
}

/// A third of a page is enough for most tests, and quicker.
fn upper_third(name: &str) -> Grey {
    let page = sample(name);
    let rows = page.height / 3;
    Grey { width: page.width, height: rows, samples: page.samples[..rows * page.width].to_vec() }
}

fn scan(grey: &Grey, dpi: Dpi) -> Scan {
    Scan { pix: grey.to_pix().unwrap(), dpi }
}

fn words(text: &PageText) -> Vec<String> {
    text.words().map(|word| word.text.clone()).collect()
}

/// The part of `wanted` that is also in `found`, in percents, order aside.
fn share(wanted: &[String], found: &[String]) -> usize {
    let mut left = found.to_vec();
    let hits = wanted
        .iter()
        .filter(|word| left.iter().position(|other| other == *word).map(|at| left.swap_remove(at)).is_some());
    hits.count() * 100 / wanted.len().max(1)
}

fn truth(name: &str) -> Vec<String> {
    let path = format!("{}/../samples/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().split_whitespace().map(str::to_owned).collect()
}

fn found(text: &PageText, word: &str) -> Rect {
    text.words().find(|found| found.text == word).map(|found| found.bounds).unwrap()
}

/// A longer word that stands once in both texts.
fn landmark(one: &PageText, other: &PageText) -> String {
    let is_alone = |text: &PageText, word: &str| text.words().filter(|found| found.text == word).count() == 1;
    let is_landmark =
        |word: &&String| word.chars().count() >= 5 && is_alone(one, word) && is_alone(other, word);
    words(one).iter().find(is_landmark).unwrap().clone()
}

#[test]
fn results_do_not_depend_on_pages_read_before() {
    let names = ["d00-1", "d05-1"];
    let page = |name| scan(&upper_third(name), Dpi::square(300));
    let mut one = reader();
    one.warm_up();
    let forth: Vec<PageText> = names.iter().map(|name| one.read(page(name)).unwrap().text).collect();
    let mut other = reader();
    let mut back: Vec<PageText> =
        names.iter().rev().map(|name| other.read(page(name)).unwrap().text).collect();
    back.reverse();
    assert_eq!(forth, back);
    assert!(words(&forth[0]).len() > 50);
}

#[test]
fn a_page_upside_down_or_sideways_is_read_and_mapped_to_the_page() {
    let mut reader = reader();
    let page = upper_third("d05-1");
    let upright = reader.read(scan(&page, Dpi::square(300))).unwrap().text;
    assert!(words(&upright).len() > 60);
    for lies in [Turn::Right, Turn::Half, Turn::Left] {
        let turned = turn::by_quarters(&page, lies);
        let text = reader.read(scan(&turned, Dpi::square(300))).unwrap().text;
        assert_eq!(text.turn, lies);
        assert!(share(&words(&upright), &words(&text)) > 90, "{lies:?}");
        let landmark = landmark(&upright, &text);
        let (wanted, got) = (found(&upright, &landmark), found(&text, &landmark));
        let (x, y) = (wanted.left, wanted.top);
        let (width, height) = (page.width as u32, page.height as u32);
        let corner = match lies {
            Turn::None => (x, y),
            Turn::Right => (height - y, x),
            Turn::Half => (width - x, height - y),
            Turn::Left => (y, width - x),
        };
        let near = |edge: u32, point: u32| edge.abs_diff(point) < 12;
        assert!(near(got.left, corner.0) || near(got.right, corner.0), "{lies:?} {got:?} {corner:?}");
        assert!(near(got.top, corner.1) || near(got.bottom, corner.1), "{lies:?} {got:?} {corner:?}");
    }
}

#[test]
fn a_fax_of_unequal_resolution_is_read() {
    let page = sample("d05-1");
    let fax = scale::to_size(&page, page.width * 2 / 3, page.height / 3);
    let dpi = Dpi { x_milli: 200_000, y_milli: 100_000 };
    let text = reader().read(scan(&fax, dpi)).unwrap().text;
    let hit = share(&truth("d05-1"), &words(&text));
    assert!(hit > 55, "{hit}");
    assert!(text.words().all(|word| word.bounds.bottom <= fax.height as u32));
}

#[test]
fn an_empty_page_is_blank_and_a_one_pixel_page_is_no_failure() {
    let mut reader = reader();
    assert!(reader.read(scan(&Grey::filled(1240, 1754, 240), Dpi::square(150))).unwrap().blank);
    for (width, height) in [(1, 1), (1, 3000), (3000, 1), (7, 5)] {
        for shade in [0, 255] {
            let reading = reader.read(scan(&Grey::filled(width, height, shade), Dpi::square(300)));
            assert!(reading.unwrap().text.blocks.is_empty(), "{width} × {height}");
        }
    }
}
