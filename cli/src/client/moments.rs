//! Moments as people write them: RFC 3339, or a while from now.

use crate::plan::seconds_of;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A deadline, in seconds since 1970: `2026-12-31T18:00:00+07:00`, or `90m`, `8h`, `2d` from now on.
pub(crate) fn deadline(text: &str) -> Result<i64, String> {
    if let Some(moment) = moment_of(text) {
        return Ok(moment);
    }
    let wrong = |_| "write it as 90m, 8h, 2d, or as 2026-12-31T18:00:00+07:00".to_owned();
    let seconds = seconds_of(text).map_err(wrong)?;
    Ok(now_unix_seconds().saturating_add(seconds.cast_signed()))
}

/// Now, in seconds since 1970.
pub(crate) fn now_unix_seconds() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.unwrap_or_default().as_secs().cast_signed()
}

/// The moment that an RFC 3339 text names; fractions of seconds are left out.
fn moment_of(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (year, month, day) = three(date, '-')?;
    let zone_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let (time, _) = time.split_once('.').unwrap_or((time, ""));
    let (hour, minute, second) = three(time, ':')?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    in_range.then_some(())?;
    let offset = match zone.split_at(1) {
        ("Z" | "z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let offset = number(hours)? * 3_600 + number(minutes)? * 60;
            if sign == "-" { -offset } else { offset }
        }
    };
    Some(days_since_1970(year, month, day) * DAY + hour * 3_600 + minute * 60 + second - offset)
}

fn three(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(separator).map(number);
    let three = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(three)
}

fn number(digits: &str) -> Option<i64> {
    let is_plain = matches!(digits.len(), 1..=4) && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_plain.then(|| digits.parse().ok())?
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The moment as `2026-11-27 22:41`, in UTC; `-` for 0, which stands for none.
pub(crate) fn shown(unix_seconds: i64) -> String {
    if unix_seconds == 0 {
        return "-".into();
    }
    let days = unix_seconds.div_euclid(DAY) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let seconds = unix_seconds.rem_euclid(DAY);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
}

/// A while in seconds as `3h 20m`; `-` for none.
pub(crate) fn a_while(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "-".into();
    }
    let seconds = seconds.ceil() as u64;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_were_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:30:00Z", 951_827_400),
            ("2026-12-31T18:00:00+07:00", 1_798_714_800),
            ("2026-12-31t18:00:00.25-01:30", 1_798_745_400),
        ] {
            assert_eq!(deadline(text), Ok(seconds), "{text}");
        }
        assert_eq!(shown(951_827_400), "2000-02-29 12:30");
        assert_eq!(shown(1_798_714_800), "2026-12-31 11:00");
        assert_eq!(shown(0), "-");
    }

    #[test]
    fn a_while_counts_from_now() {
        let from_now = deadline("2h").unwrap() - now_unix_seconds();
        assert!((7_199..=7_201).contains(&from_now), "{from_now}");
        assert_eq!(a_while(12_000.0), "3h 20m");
        assert_eq!(a_while(0.0), "-");
    }

    #[test]
    fn what_is_no_moment_is_refused_with_an_example() {
        for text in ["tomorrow", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "12"]
        {
            assert!(deadline(text).unwrap_err().contains("2026-12-31T18:00:00+07:00"), "{text}");
        }
    }
}
