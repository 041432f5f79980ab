//! Names of what is secret: of a header, of a parameter in a query, of a key in JSON.

/// The headers that may carry a client's key, in the order they are looked at: bearer tokens, and
/// Azure's own.
pub(crate) const KEYS: [&str; 2] = ["authorization", "api-key"];

/// Words that make a name secret: `x-goog-api-key`, `access_token`, `privateKey`. `sig` is a signature's usual name in
/// a signed URL.
const WORDS: [&str; 6] = ["auth", "key", "oauth", "passphrase", "pwd", "sig"];

/// Parts of a word that make it secret.
const PARTS: [&str; 11] = [
    "accesskey",
    "apikey",
    "authoriz",
    "cookie",
    "credential",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "sharedkey",
    "token",
];

/// Every secret name has one of these: a look that costs less than finding the words.
const HINTS: [&str; 9] = ["auth", "cookie", "credential", "key", "pass", "pwd", "secret", "sig", "token"];

/// Names that look secret and are not, the words joined: what a test may want to read in the journal.
const HARMLESS: [&str; 3] = ["idempotencykey", "promptcachekey", "secwebsocketkey"];

/// A parameter that is secret in a URL only, where it is the authorization code of a login.
const CODE: &str = "code";

/// Whether what has this name is a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    if !is_hinted(name) {
        return false;
    }
    let words = words(name);
    let secret = |word: &String| {
        // Numbers of tokens are no secrets: `max_tokens`, which most requests have; nor is a tokenizer.
        if word == "tokens" || !is_hinted(word) {
            return false;
        }
        let rest = word.replace("tokens", "").replace("tokeniz", "");
        WORDS.contains(&word.as_str()) || PARTS.iter().any(|part| rest.contains(part))
    };
    words.iter().any(secret) && !HARMLESS.contains(&words.concat().as_str())
}

/// Whether one of the hints is in a text, in any case. A text without has the name of no secret in it.
pub(crate) fn is_hinted(text: &str) -> bool {
    let text = text.as_bytes();
    let begins = |at: usize| {
        let is_here = |hint: &&str| {
            let part = text.get(at..at + hint.len());
            part.is_some_and(|part| part.eq_ignore_ascii_case(hint.as_bytes()))
        };
        HINTS.iter().any(is_here)
    };
    let pairs = text.windows(2).enumerate();
    pairs.filter(|(_, pair)| SECOND[usize::from(pair[0])] & letter(pair[1]) != 0).any(|(at, _)| begins(at))
}

/// Which letters come second in the hints that begin with a byte: a look that costs less than one for each hint.
const SECOND: [u32; 256] = {
    let mut second = [0; 256];
    let mut hint = 0;
    while hint < HINTS.len() {
        let [first, next, ..] = HINTS[hint].as_bytes() else { unreachable!() };
        second[*first as usize] |= letter(*next);
        second[first.to_ascii_uppercase() as usize] |= letter(*next);
        hint += 1;
    }
    second
};

/// A letter as one bit, in any case; some other bytes have the same.
const fn letter(byte: u8) -> u32 {
    1 << (byte & 31)
}

/// Whether the parameter of a URL that has this name is a secret.
pub(crate) fn is_parameter(name: &str) -> bool {
    is_secret(name) || name.eq_ignore_ascii_case(CODE)
}

/// The words of a name in lower case, whether it is written `api-key`, `api_key` or `apiKey`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for character in name.chars() {
        if !character.is_alphanumeric() || (before.is_lowercase() && character.is_uppercase()) {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().expect("there is one").extend(character.to_lowercase());
        }
        before = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_found() {
        for hint in HINTS {
            for name in [hint.to_owned(), format!("x-{hint}ed"), format!("X{}", hint.to_uppercase())] {
                assert!(is_hinted(&name), "{name}");
            }
            assert!(!is_hinted(&hint[1..]) && !is_hinted(&hint[..hint.len() - 1]), "{hint}");
        }
    }

    #[test]
    fn every_secret_word_is_hinted() {
        for word in WORDS.iter().chain(&PARTS) {
            assert!(is_hinted(word), "{word}");
        }
    }
}
