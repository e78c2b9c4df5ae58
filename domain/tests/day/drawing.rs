//! The day as a picture: backlog above, workers below.

use std::fmt::Write;

use crate::world::Moment;

const LEFT: f64 = 64.0;
const WIDTH: f64 = 840.0;
const PANEL: f64 = 150.0;
const TOPS: [f64; 2] = [48.0, 246.0];
const DAY_SECONDS: f64 = 86_400.0;

/// Steps between two points of a line: five minutes.
const STRIDE: usize = 20;

/// An SVG of the day; the same record gives the same bytes.
pub(crate) fn draw(record: &[Moment], paid_per_worked: f64) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 920 440\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"920\" height=\"440\" fill=\"#ffffff\"/>\n",
    );
    let backlog: Vec<(f64, f64)> = points(record, |moment| moment.pages_waiting / 1_000.0);
    panel(&mut svg, TOPS[0], "pages that wait, thousands", top_of(&backlog));
    line(&mut svg, TOPS[0], &backlog, top_of(&backlog), "#2563eb");
    let wanted = points(record, |moment| f64::from(moment.wanted));
    let running = points(record, |moment| f64::from(moment.running));
    panel(&mut svg, TOPS[1], "workers wanted (grey) and reading (green)", top_of(&wanted));
    line(&mut svg, TOPS[1], &wanted, top_of(&wanted), "#9ca3af");
    line(&mut svg, TOPS[1], &running, top_of(&wanted), "#16a34a");
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"22\" font-size=\"14\">A simulated day: 0.92 million pages, every job in time, \
         {paid_per_worked:.2} slot-seconds paid for one worked</text>"
    );
    svg.push_str("</svg>\n");
    svg
}

fn points(record: &[Moment], value: impl Fn(&Moment) -> f64) -> Vec<(f64, f64)> {
    let busiest = |moments: &[Moment]| moments.iter().map(&value).fold(0.0, f64::max);
    record.chunks(STRIDE).map(|moments| (moments[0].at, busiest(moments))).collect()
}

/// A round number at or above every value.
fn top_of(points: &[(f64, f64)]) -> f64 {
    let most = points.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let unit = 10_f64.powf(most.log10().floor());
    (most / unit).ceil() * unit
}

fn panel(svg: &mut String, top: f64, title: &str, most: f64) {
    let (bottom, right) = (top + PANEL, LEFT + WIDTH);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"#374151\">{title}</text>", top - 6.0);
    for (share, y) in [(1.0, top), (0.5, top + PANEL / 2.0), (0.0, bottom)] {
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y}H{right}\" stroke=\"#e5e7eb\"/><text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{:.0}</text>",
            LEFT - 8.0,
            y + 4.0,
            most * share
        );
    }
    for hour in (0..=24).step_by(3) {
        let x = LEFT + WIDTH * f64::from(hour) / 24.0;
        let _ = writeln!(
            svg,
            "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{hour}:00</text>",
            bottom + 18.0
        );
    }
}

fn line(svg: &mut String, top: f64, points: &[(f64, f64)], most: f64, colour: &str) {
    let place = |&(at, value): &(f64, f64)| {
        format!("{:.1} {:.1}", LEFT + WIDTH * at / DAY_SECONDS, top + PANEL * (1.0 - value / most))
    };
    let path: Vec<String> = points.iter().map(place).collect();
    let _ = writeln!(
        svg,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
        path.join("L")
    );
}
