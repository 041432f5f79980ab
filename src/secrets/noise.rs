//! What no person types: whether characters look drawn at random.

/// How many letters and digits of a text are of what kind, and how often the kind changes.
#[derive(Debug, Default)]
struct Census {
    digits: usize,
    capitals: usize,
    small: usize,
    /// Changes between letters and digits, and from small letters to capitals: a word that begins with a capital
    /// counts once.
    changes: usize,
}

impl Census {
    fn of(text: &[u8]) -> Self {
        let mut census = Self::default();
        let mut before = None;
        for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
            let count = match byte {
                b'0'..=b'9' => &mut census.digits,
                b'A'..=b'Z' => &mut census.capitals,
                _ => &mut census.small,
            };
            *count += 1;
            census.changes += usize::from(before.is_some_and(|before| is_change(before, *byte)));
            before = Some(*byte);
        }
        census
    }

    fn letters(&self) -> usize {
        self.capitals + self.small
    }
}

fn is_change(one: u8, other: u8) -> bool {
    one.is_ascii_digit() != other.is_ascii_digit() || (one.is_ascii_lowercase() && other.is_ascii_uppercase())
}

/// Whether these characters look drawn at random, as those of a key do. Of letters and digits at random every second
/// pair is a change, or nearly; of `user_profile_2024` or `someCamelCaseName2`, every fifth.
pub(crate) fn is_noise(text: &[u8]) -> bool {
    let census = Census::of(text);
    census.digits > 0 && census.letters() > 0 && census.changes * 4 >= census.digits + census.letters()
}

/// Whether there is a digit, or both capitals and small letters: what suffices where the length says the rest.
pub(crate) fn is_mixed(text: &[u8]) -> bool {
    let census = Census::of(text);
    census.digits > 0 || (census.capitals > 0 && census.small > 0)
}

/// Whether there are many different characters: silence in base64 has none.
pub(crate) fn is_varied(text: &[u8]) -> bool {
    let mut seen = text.to_vec();
    seen.sort_unstable();
    seen.dedup();
    seen.len() >= 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_noise_and_names_are_not() {
        for noise in [
            "t7Gq2LmZ9xB4vKc8RwN1pYh5",
            "8f14e45fceea167a5a36dedd4bea2543",
            "D7fLq0wTzVb3KxHn5RcGy9MpS2eUa8Jo",
            "c2lnbmF0dXJlLW9mLXNvcnRz",
        ] {
            assert!(is_noise(noise.as_bytes()), "{noise}");
        }
        for name in [
            "user_profile_2024_settings",
            "someVeryLongCamelCaseName2",
            "secret_retrieval_tool",
            "gpt-4o-mini-2024-07-18",
            "claude-3-5-haiku-20241022",
            "estimator-doc-link-12",
            "12345678901234567890",
            "redactedredactedredacted",
            "",
        ] {
            assert!(!is_noise(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn silence_is_not_varied() {
        assert!(!is_varied(b"AAAAAAAAAAAAAAAAAA//"));
        assert!(is_varied(b"IOSFODNN7QXAMPLE"));
    }

    #[test]
    fn a_word_is_not_mixed() {
        assert!(!is_mixed(b"babelexecutesrcblock"));
        assert!(is_mixed(b"babelexecutesrcblock1"));
        assert!(is_mixed(b"babelExecutesrcblock"));
    }

    proptest! {
        #[test]
        fn a_long_key_is_noise(key in "[a-zA-Z0-9]{96}") {
            prop_assert!(is_noise(key.as_bytes()));
        }
    }
}
