//! `pagemill plan`: what so many pages by a deadline take.

use pagemill_domain::plan::{Plan, PlanError, Range, Wish, plan};
use serde_json::json;

use crate::arguments::PlanArguments;
use crate::failure::{Exit, Failure};
use crate::progress::{print_json, print_result};

/// Plans and shows.
pub(crate) fn run(arguments: &PlanArguments) -> Result<Exit, Failure> {
    let wish = Wish {
        pages: arguments.pages,
        deadline_seconds: arguments.deadline as f64,
        pages_per_slot_second: arguments.rate,
        slots_per_worker: arguments.slots,
    };
    let planned = plan(&wish).map_err(|error: PlanError| Failure::Plan(error.to_string()))?;
    if arguments.json {
        print_json(&json!({"event": "plan", "pages": wish.pages, "deadline_seconds": wish.deadline_seconds,
            "slots_per_worker": wish.slots_per_worker, "plan": planned}));
    } else {
        print_result(&text(&wish, &planned));
    }
    Ok(Exit::Complete)
}

fn text(wish: &Wish, plan: &Plan) -> String {
    let hours = |range: Range| format!("{:.1} ({:.1} to {:.1})", range.likely, range.low, range.high);
    let finish = plan.finish_seconds;
    let storage = plan.storage;
    let measured = if wish.pages_per_slot_second.is_some() {
        ""
    } else {
        "\nrate       not measured on these pages: --rate narrows the range (docs/capacity.md)"
    };
    format!(
        "workers    {} with {} slots each, a core a slot: {} cores\n\
         core-hours {}\n\
         finish     in {} ({} to {}); wanted in {}\n\
         storage    {} sources, {} page texts, {} PDF/A and text, {} database{measured}",
        plan.workers,
        wish.slots_per_worker,
        plan.slots,
        hours(plan.core_hours),
        duration(finish.likely),
        duration(finish.low),
        duration(finish.high),
        duration(wish.deadline_seconds),
        bytes(storage.sources_bytes),
        bytes(storage.results_bytes),
        bytes(storage.artifacts_bytes),
        bytes(storage.store_bytes),
    )
}

/// `1 d 2 h`, `3 h 20 min`, `5 min`: two units, as people say it.
fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).ceil() as u64;
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Decimal units, as disks and clouds are sold.
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1_000.0 && unit < UNITS.len() - 1 {
        size /= 1_000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Seconds of `8h`, `90m`, `2d`, `1d12h`; a number without a unit is refused, because it could be any.
pub(crate) fn seconds_of(text: &str) -> Result<u64, String> {
    let wrong = || "write it as 90m, 8h, 2d or 1d12h".to_owned();
    let (mut seconds, mut number) = (0_u64, String::new());
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = std::mem::take(&mut number).parse().map_err(|_| wrong())?;
        seconds = count.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
    }
    if number.is_empty() && seconds > 0 { Ok(seconds) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_said() {
        assert_eq!(seconds_of("8h"), Ok(28_800));
        assert_eq!(seconds_of("1d12h"), Ok(129_600));
        assert_eq!(seconds_of("90m"), Ok(5_400));
        for wrong in ["", "8", "h", "8x", "-1h", "0h", "99999999999999999999h", "9999999999999999999d"] {
            assert!(seconds_of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(duration(59.0), "1 min");
        assert_eq!(duration(12_000.0), "3 h 20 min");
        assert_eq!(duration(100_000.0), "1 d 3 h");
    }

    #[test]
    fn a_plan_says_what_to_buy() {
        let wish = Wish {
            pages: 1_000_000,
            deadline_seconds: 28_800.0,
            pages_per_slot_second: None,
            slots_per_worker: 4,
        };
        let text = text(&wish, &plan(&wish).unwrap());
        assert!(text.contains("workers    15 with 4 slots each, a core a slot: 60 cores"), "{text}");
        assert!(text.contains("wanted in 8 h 0 min"), "{text}");
        assert!(text.contains("1.5 TB sources"), "{text}");
        assert!(text.contains("--rate"), "{text}");
    }
}
