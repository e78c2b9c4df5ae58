//! The degraded recipe: the last try for a page that failed with the whole one.

use pagemill_domain::recipe::CleanUp;

use super::{ReadError, Reader, Reading};
use crate::scan::Sheet;

impl Reader {
    /// Reads a page with every step left out that can be: whatever of them the page crashed or exhausted, it now gets
    /// past.
    pub fn read_degraded(&mut self, sheet: impl Into<Sheet>) -> Result<Reading, ReadError> {
        let clean_up = std::mem::replace(&mut self.clean_up, CleanUp::NONE);
        let orientation = self.orientation.take();
        let reading = self.read(sheet);
        self.clean_up = clean_up;
        self.orientation = orientation;
        reading
    }
}

#[cfg(test)]
mod tests {
    use pagemill_domain::recipe::Recipe;

    use super::super::{ModelDir, built_in_page};
    use super::*;

    #[test]
    fn steps_are_left_out_for_one_page_only() {
        let mut reader = Reader::load(&Recipe::default(), &ModelDir::find(None)).unwrap();
        let scan = || built_in_page::scan().unwrap();
        let whole = reader.read(scan()).unwrap();
        assert!(whole.stages.orientation_ms > 0, "its letters are doubtful");
        let degraded = reader.read_degraded(scan()).unwrap();
        assert_eq!(degraded.stages.orientation_ms, 0);
        assert!(degraded.text.words().count() > 0);
        let again = reader.read(scan()).unwrap();
        assert_eq!(again.text, whole.text);
        assert!(again.stages.orientation_ms > 0);
    }
}
