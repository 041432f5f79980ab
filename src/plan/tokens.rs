//! Cutting text into the pieces that become events, and counting tokens.
//!
//! With the `tokenizer` feature the pieces are the tokens of the model's own vocabulary, whose tables
//! are loaded on first need and shared by all servers of the process: they are constants too large to
//! build into every start. Without it, text is cut at words.

use super::reply::Chunking;

/// The vocabularies of OpenAI's chat models.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vocabulary {
    /// Since gpt-4o.
    O200k,
    /// gpt-3.5 and gpt-4.
    Cl100k,
}

impl Vocabulary {
    /// The vocabulary of a model, by its name in either provider's spelling.
    pub fn of(model: &str) -> Self {
        let old =
            ["gpt-3.5", "gpt-35", "gpt-4-", "text-embedding"].iter().any(|prefix| model.starts_with(prefix));
        if old || model == "gpt-4" { Self::Cl100k } else { Self::O200k }
    }

    /// How many tokens a text has. Beyond 256 KiB the count is extrapolated from what comes before: a
    /// prompt of megabytes is not worth seconds of a server's time.
    pub fn count(self, text: &str) -> u64 {
        const COUNTED: usize = 256 * 1024;
        let end = (0..=COUNTED.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let counted = &text[..end.unwrap_or_default()];
        let tokens = segments(counted).map(|segment| self.tokens(segment)).sum::<u64>();
        if counted.len() == text.len() {
            return tokens;
        }
        let extrapolated = u128::from(tokens) * text.len() as u128 / counted.len() as u128;
        u64::try_from(extrapolated).unwrap_or(u64::MAX)
    }

    /// The text cut after each token, at the next character boundary: a character that takes several
    /// tokens stays whole, as in the real streams.
    fn cut(self, text: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        let (mut start, mut end) = (0, 0);
        for len in segments(text).flat_map(|segment| self.token_lengths(segment)) {
            end += len;
            if text.is_char_boundary(end) {
                pieces.push(text[start..end].to_owned());
                start = end;
            }
        }
        pieces
    }

    #[cfg(feature = "tokenizer")]
    fn tokens(self, text: &str) -> u64 {
        self.table().count_ordinary(text) as u64
    }

    #[cfg(feature = "tokenizer")]
    fn token_lengths(self, text: &str) -> Vec<usize> {
        let table = self.table();
        let lengths = table._decode_native_and_split(table.encode_ordinary(text)).map(|token| token.len());
        lengths.collect()
    }

    #[cfg(feature = "tokenizer")]
    fn table(self) -> &'static tiktoken_rs::CoreBPE {
        match self {
            Self::O200k => tiktoken_rs::o200k_base_singleton(),
            Self::Cl100k => tiktoken_rs::cl100k_base_singleton(),
        }
    }

    #[cfg(not(feature = "tokenizer"))]
    fn tokens(self, text: &str) -> u64 {
        words(text).len() as u64
    }

    #[cfg(not(feature = "tokenizer"))]
    fn token_lengths(self, text: &str) -> Vec<usize> {
        words(text).iter().map(String::len).collect()
    }
}

/// A text in parts that the tokenizer takes: its regular expressions give up, by panicking, on white space
/// of hundreds of thousands of characters. Texts without such runs stay whole up to 64 KiB.
fn segments(text: &str) -> impl Iterator<Item = &str> {
    const LONGEST: usize = 64 * 1024;
    const LONGEST_BLANK: usize = 1024;
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut blank = 0;
        let mut characters = rest.char_indices();
        let end = characters.find_map(|(at, character)| {
            blank = if character.is_whitespace() { blank + 1 } else { 0 };
            (blank > LONGEST_BLANK || at >= LONGEST).then_some(at)
        });
        let (segment, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!segment.is_empty()).then_some(segment)
    })
}

/// Cuts a text into pieces; joined they are the text. An empty text has none.
pub fn pieces(text: &str, chunking: &Chunking, vocabulary: Vocabulary) -> Vec<String> {
    match chunking {
        _ if text.is_empty() => Vec::new(),
        Chunking::Token => vocabulary.cut(text),
        Chunking::Word => words(text),
        Chunking::Char => characters(text, 1),
        Chunking::Chars(count) => characters(text, *count),
        Chunking::Exact(pieces) => pieces.clone(),
    }
}

/// Cuts the arguments of one of several parallel calls: pieces of 4, 5 and 6 characters in turn.
///
/// The model calls such tools through a wrapper of its own, whose arguments are re-cut on the way out;
/// the cycle holds in every recorded parallel call, whatever the model, on both providers.
pub fn parallel_pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    for len in [4, 5, 6].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let end = rest.char_indices().nth(len).map_or(rest.len(), |(end, _)| end);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// Each word with the white space before it; white space at the end is a piece of its own.
fn words(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        if at > start && character.is_whitespace() && !before.is_whitespace() {
            pieces.push(text[start..at].to_owned());
            start = at;
        }
        before = character;
    }
    pieces.push(text[start..].to_owned());
    pieces
}

fn characters(text: &str, count: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(count.max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_joins_to_the_text() {
        let text = " Hello,  world!\n\n望月の👩‍👩‍👧 café\u{2028}x ";
        for chunking in [Chunking::Token, Chunking::Word, Chunking::Char, Chunking::Chars(3)] {
            for vocabulary in [Vocabulary::O200k, Vocabulary::Cl100k] {
                let pieces = pieces(text, &chunking, vocabulary);
                assert_eq!(pieces.concat(), text, "{chunking:?}");
                assert!(pieces.iter().all(|piece| !piece.is_empty()), "{chunking:?}");
            }
        }
        assert_eq!(parallel_pieces(text).concat(), text);
        assert!(pieces("", &Chunking::Token, Vocabulary::O200k).is_empty());
    }

    #[test]
    fn no_text_is_too_much_for_the_tokenizer() {
        for unit in [" ", "\n", "a", "望"] {
            let text = unit.repeat(1_200_000 / unit.len());
            for vocabulary in [Vocabulary::O200k, Vocabulary::Cl100k] {
                assert!(vocabulary.count(&text) > 0, "{unit:?}");
            }
        }
        let blank = " ".repeat(300_000);
        assert_eq!(pieces(&blank, &Chunking::Token, Vocabulary::O200k).concat(), blank);
    }

    #[test]
    fn words_keep_the_space_before_them() {
        assert_eq!(words(" a  bc\nd "), [" a", "  bc", "\nd", " "]);
    }

    #[test]
    fn parallel_calls_are_cut_in_four_five_six() {
        let arguments = r#"{"location": "San Francisco"}"#;
        let pieces = parallel_pieces(arguments);
        assert_eq!(pieces, ["{\"lo", "catio", "n\": \"S", "an F", "ranci", "sco\"}"]);
    }

    #[cfg(feature = "tokenizer")]
    #[test]
    fn tokens_are_the_models_own_and_characters_stay_whole() {
        let cut = |text| pieces(text, &Chunking::Token, Vocabulary::O200k);
        assert_eq!(cut(r#"{"location":"Paris"}"#), ["{\"", "location", "\":\"", "Paris", "\"}"]);
        assert_eq!(cut("👩‍👩‍👧").concat(), "👩‍👩‍👧");
        assert_eq!(Vocabulary::O200k.count("Hello! How can I help you today?"), 9);
        assert_eq!(Vocabulary::Cl100k.count("Hello! How can I assist you today?"), 9);
    }
}
