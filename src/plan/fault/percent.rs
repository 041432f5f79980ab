//! Percent-encoding, of values in the one-word form and of paths.

use std::fmt::Write;

/// Undoes it; what is no escape stays as it is.
///
/// # Errors
///
/// That the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("{text:?} is not UTF-8"))
}

/// Encodes what has a meaning in the one-word form, in a URL, a header or a list of words.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | ',' | '@' | '/' | '?' | '#' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {}
            plain if plain.is_ascii_graphic() => {
                encoded.push(plain);
                continue;
            }
            _ => {}
        }
        let mut buffer = [0; 4];
        for byte in character.encode_utf8(&mut buffer).bytes() {
            write!(encoded, "%{byte:02X}").expect("a string takes any text");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for text in ["", "a,b@c%2C", "月 \n", ": keep-alive", "lskdu][]'./.", "100%", "\u{7f}"] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
            assert!(!encoded.contains([',', '@', '/']), "{encoded}");
            assert_eq!(decode(&encoded).as_deref(), Ok(text), "{encoded}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(decode("100%").as_deref(), Ok("100%"));
        assert_eq!(decode("%+1%zz%4").as_deref(), Ok("%+1%zz%4"));
        assert_eq!(decode("%e6%9c%88").as_deref(), Ok("月"));
        assert_eq!(decode("%ff"), Err("\"%ff\" is not UTF-8".to_owned()));
    }
}
