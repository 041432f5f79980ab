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
    // Nearly every request has the first.
    if KEYS.contains(&name) {
        return true;
    }
    if !is_hinted(name.as_bytes()) {
        return false;
    }
    let words = words(name);
    let secret = |word: &String| {
        // Numbers of tokens are no secrets: `max_tokens`; nor is a tokenizer.
        let rest = word.replace("tokens", "").replace("tokeniz", "");
        WORDS.contains(&word.as_str()) || PARTS.iter().any(|part| rest.contains(part))
    };
    words.iter().any(secret) && !HARMLESS.contains(&words.concat().as_str())
}

/// Whether one of the hints is in a name, in any case.
fn is_hinted(mut name: &[u8]) -> bool {
    while let [first, rest @ ..] = name {
        // Most letters begin no hint.
        if matches!(first.to_ascii_lowercase(), b'a' | b'c' | b'k' | b'p' | b's' | b't') {
            let here = |hint: &&str| {
                let part = name.get(..hint.len());
                part.is_some_and(|part| part.eq_ignore_ascii_case(hint.as_bytes()))
            };
            if HINTS.iter().any(here) {
                return true;
            }
        }
        name = rest;
    }
    false
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
            assert!(is_hinted(format!("X-{}", hint.to_uppercase()).as_bytes()), "{hint}");
        }
    }
}
