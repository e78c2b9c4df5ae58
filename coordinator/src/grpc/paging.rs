//! Paging: how many rows, and after which.

use pagemill_backends::store::PageCursor;
use tonic::Status;

use super::status::invalid;

/// Rows of an answer where the request names none.
const PAGE_SIZE_DEFAULT: u32 = 100;

/// Most rows of an answer.
pub(crate) const PAGE_SIZE_MAX: u32 = 1_000;

/// How many rows a request wants.
pub(crate) fn page_size(wanted: u32) -> Result<u32, Status> {
    match wanted {
        0 => Ok(PAGE_SIZE_DEFAULT),
        1..=PAGE_SIZE_MAX => Ok(wanted),
        _ => Err(invalid(format!("page_size must be at most {PAGE_SIZE_MAX}"))),
    }
}

/// The token after a row; empty after the last. Whoever gets it hands it back as it is.
pub(crate) fn next_token<T>(rows: &[T], page_size: u32, after: impl FnOnce(&T) -> String) -> String {
    let is_last = rows.len() < page_size as usize;
    rows.last().filter(|_| !is_last).map_or(String::new(), after)
}

/// After which row number a listing goes on.
pub(crate) fn row_after(token: &str) -> Result<i64, Status> {
    if token.is_empty() {
        return Ok(0);
    }
    token.strip_prefix('r').and_then(|number| number.parse().ok()).filter(|&row| row >= 0).ok_or_else(foreign)
}

/// The token of a row number.
pub(crate) fn row_token(row: i64) -> String {
    format!("r{row}")
}

/// After which page a listing goes on.
pub(crate) fn page_after(token: &str) -> Result<PageCursor, Status> {
    if token.is_empty() {
        return Ok(PageCursor::default());
    }
    let cursor =
        token.strip_prefix('p').and_then(|cursor| cursor.split_once('.')).and_then(|(source, number)| {
            Some(PageCursor { source: source.parse().ok()?, number: number.parse().ok()? })
        });
    cursor.filter(|cursor| cursor.source >= 0).ok_or_else(foreign)
}

/// The token of a page.
pub(crate) fn page_token(source: i64, number: u32) -> String {
    format!("p{source}.{number}")
}

fn foreign() -> Status {
    invalid("page_token is none of this listing: leave it empty to begin anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_back_to_their_rows_and_nowhere_else() {
        assert_eq!(row_after(&row_token(7)).unwrap(), 7);
        assert_eq!(row_after("").unwrap(), 0);
        let cursor = page_after(&page_token(7, 3)).unwrap();
        assert_eq!(cursor, PageCursor { source: 7, number: 3 });
        for token in ["7", "r", "r-1", "rr7", "r9999999999999999999999", "p7", "p7.3", "x"] {
            assert!(row_after(token).is_err(), "{token}");
        }
        for token in ["7.3", "p7", "p7.", "p7.-3", "p7.3.1", "r7", "p-7.3"] {
            assert!(page_after(token).is_err(), "{token}");
        }
    }

    #[test]
    fn the_last_page_has_no_token() {
        let token = |rows: &[i64]| next_token(rows, 2, |row| row_token(*row));
        assert_eq!(token(&[1, 2]), "r2");
        assert_eq!(token(&[1]), "");
        assert_eq!(token(&[]), "");
        assert_eq!(page_size(0).unwrap(), 100);
        assert!(page_size(1_001).is_err());
    }
}
