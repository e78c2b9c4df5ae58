//! What becomes of pages at once when their source has been inspected.

use crate::page::PageState;
use crate::recipe::ExistingTextRule;
use crate::scan::{ExistingText, PageFacts};

/// The state in which a page enters the ledger.
///
/// Pages of a signed file are kept: rewriting it would break the signature. A page whose headers show that it can't
/// be decoded is dead from the start. Existing text is kept or not as the recipe says.
#[must_use]
pub const fn initial_state(page: &PageFacts, signed: bool, rule: ExistingTextRule) -> PageState {
    if signed {
        return PageState::Kept;
    }
    if page.defect.is_some() {
        return PageState::Dead;
    }
    match (page.existing_text, rule) {
        (ExistingText::None, _)
        | (_, ExistingTextRule::Force)
        | (ExistingText::Invisible, ExistingTextRule::Redo) => PageState::Pending,
        (ExistingText::Invisible | ExistingText::Visible, _) => PageState::Kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Orientation;
    use crate::scan::{Dpi, DpiRule, PageDefect};

    #[test]
    fn existing_text_is_treated_as_the_recipe_says() {
        use ExistingText::{Invisible, None as NoText, Visible};
        use ExistingTextRule::{Force, Redo, Skip};
        use PageState::{Dead, Kept, Pending};

        let page = |existing_text, defect| PageFacts {
            width: 1,
            height: 1,
            dpi: Dpi::square(300),
            dpi_rule: DpiRule::Declared,
            orientation: Orientation::default(),
            existing_text,
            defect,
        };
        for (text, rule, state) in [
            (NoText, Skip, Pending),
            (Invisible, Skip, Kept),
            (Visible, Skip, Kept),
            (Invisible, Redo, Pending),
            (Visible, Redo, Kept),
            (Visible, Force, Pending),
        ] {
            assert_eq!(initial_state(&page(text, None), false, rule), state, "{text:?} {rule:?}");
        }
        assert_eq!(initial_state(&page(NoText, Some(PageDefect::Missing)), false, Force), Dead);
        assert_eq!(initial_state(&page(NoText, None), true, Force), Kept);
    }
}
