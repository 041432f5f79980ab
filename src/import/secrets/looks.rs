//! What stands for a secret, and what only holds the place of one.

/// What a secret is filled with, from its beginning. Its first letter makes no escape of a backslash before it.
const FILLER: &[u8] = b"masked";

/// The character that stands for the `index`th of a secret.
pub(super) fn filler(index: usize) -> u8 {
    FILLER[index % FILLER.len()]
}

/// Whether this character of a secret stays: it tells the parts of it, not more.
pub(super) fn stays(byte: u8) -> bool {
    matches!(byte, b'.' | b'/')
}

/// Whether these characters stand for a secret already.
pub(super) fn is_filled(text: &[u8]) -> bool {
    let mut filled = text.iter().filter(|byte| !stays(**byte)).enumerate();
    filled.all(|(index, byte)| *byte == filler(index))
}

/// What is written where people leave a secret out; the last is what this server calls itself.
const PLACEHOLDERS: [&str; 9] =
    ["redacted", "example", "placeholder", "your-", "your_", "xxxxxx", "******", "......", "llmirage"];

/// Whether nobody would take this for a secret: `REDACTED`, `your-api-key`. No key made at random has such words.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    let small = text.to_ascii_lowercase();
    let has = |word: &&str| small.windows(word.len()).any(|window| window == word.as_bytes());
    matches!(text, [b'<', .., b'>'] | [b'{', .., b'}']) || PLACEHOLDERS.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_leave_out_is_a_placeholder() {
        for text in
            ["REDACTED", "sk-your-api-key-goes-here", "<API_KEY>", "AKIAIOSFODNN7EXAMPLE", "org-xxxxxxxxxxxx"]
        {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["", "t7Gq2LmZ9xB4vKc8RwN1pYh5", "hunter2"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_filled_is_known_again() {
        for text in ["", "mas", "maskedmaske", "mas.ked/ma"] {
            assert!(is_filled(text.as_bytes()), "{text}");
        }
        for text in ["asked", "masking", "Masked"] {
            assert!(!is_filled(text.as_bytes()), "{text}");
        }
    }
}
