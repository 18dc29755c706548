//! Which characters can hide in text that people compare by eye.
//!
//! Not a normal form: that is NFC, applied by each type for itself. The invariant is that whatever passes here looks
//! like itself wherever it is shown.

/// Whether a character changes how its neighbours are shown without being seen itself, or is seen as a blank without
/// being one.
///
/// These are the bidirectional marks, embeddings, overrides and isolates, the zero-width space and word joiner, the
/// invisible operators, the soft hyphen, the byte order mark, the interlinear and tag characters, the Mongolian vowel
/// separator, and the fillers that look like a blank. Those that names are spelled with are in [`is_shaping`].
pub(super) const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{180E}'
            | '\u{200B}'
            | '\u{200E}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E007F}'
    )
}

/// Whether a character is unseen but chooses how a letter is drawn: the zero-width joiners, the variation selectors, the
/// grapheme joiner. Persian, Indic, Mongolian and Japanese names need them; an address does not.
pub(super) const fn is_shaping(character: char) -> bool {
    matches!(
        character,
        '\u{034F}'
            | '\u{180B}'..='\u{180D}'
            | '\u{180F}'
            | '\u{200C}'..='\u{200D}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reorders_or_hides_text_is_deceptive() {
        for character in ['\u{202E}', '\u{2066}', '\u{200B}', '\u{200F}', '\u{FEFF}', '\u{3164}', '\u{E0041}']
        {
            assert!(is_deceptive(character), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn letters_and_marks_are_not() {
        for character in ['a', 'é', '山', '\u{0301}', '\u{094D}', '\'', '-', ' '] {
            assert!(!is_deceptive(character) && !is_shaping(character), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn what_shapes_letters_is_not_deceptive_in_a_name() {
        for character in ['\u{200C}', '\u{200D}', '\u{FE0F}', '\u{E0100}'] {
            assert!(is_shaping(character) && !is_deceptive(character), "{}", character.escape_unicode());
        }
    }
}
