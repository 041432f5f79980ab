//! Bytes as text that can be read, and from which the bytes could be had again.

use std::fmt::Write as _;

/// CR LF is `\r\n` and the end of a line, LF alone the end of a line, and a line that ends with `\` goes on
/// without any. Bytes that are no UTF-8 or that nobody sees are `\xff`; characters that nobody sees, or that
/// editors take for the end of a line, are `\u{2028}`.
pub(crate) fn show(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' if out.ends_with("\\r") => out.push_str("\\n\n"),
                '\n' => out.push('\n'),
                '\r' => out.push_str("\\r"),
                '\\' => out.push_str("\\\\"),
                '\t' => out.push('\t'),
                '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
                }
                control if control.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(control));
                }
                visible => out.push(visible),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str("\\\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], text: &str) {
        assert_eq!(show(bytes), text, "{bytes:?}");
    }

    #[test]
    fn every_byte_is_seen() {
        check(b"", "");
        check(b"a\r\n\r\nb\n", "a\\r\\n\n\\r\\n\nb\n");
        check(b"a\rb", "a\\rb\\\n");
        check("月\u{2028}\u{feff}".as_bytes(), "月\\u{2028}\\u{feff}\\\n");
        check(b"\xe6\x9c|\xff\x00\x1f\x8b", "\\xe6\\x9c|\\xff\\x00\\x1f\\x8b\\\n");
        check(br"\r\n", "\\\\r\\\\n\\\n");
    }
}
