//! Passwords in URLs.

use super::Find;

/// The passwords of `scheme://user:password@host`.
pub(super) fn all(text: &[u8]) -> Vec<Find> {
    let starts = text.windows(3).enumerate().filter(|(_, window)| *window == b"://");
    starts.filter_map(|(at, _)| password(text, at + 3)).collect()
}

/// The password of the URL whose host, or login, starts at `start`.
fn password(text: &[u8], start: usize) -> Option<Find> {
    let authority = |byte: &&u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\')
    };
    let len = text[start..].iter().take(LONGEST).take_while(authority).count();
    let login = text[start..start + len].iter().rposition(|byte| *byte == b'@')?;
    let colon = text[start..start + login].iter().position(|byte| *byte == b':')?;
    let (from, end) = (start + colon + 1, start + login);
    is_serious(&text[from..end]).then(|| Find::whole(from, end, "a password in a URL"))
}

/// Whether a password is one: not the `password`, `secret` or `postgres` of every manual.
fn is_serious(password: &[u8]) -> bool {
    password.len() >= 8
        && password.iter().any(u8::is_ascii_digit)
        && password.iter().any(u8::is_ascii_alphabetic)
}

const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::check_only;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        check_only(all, text, expected);
    }

    #[test]
    fn a_password_is_between_the_colon_and_the_at() {
        check("see postgres://me:hunter2-x7@db.test/a", Some("hunter2-x7"));
        check("\"amqp://me:a@b:c9zzzz@q\"", Some("a@b:c9zzzz"));
    }

    #[test]
    fn what_is_in_every_manual_is_no_password() {
        for text in [
            "postgres://user:password@localhost/db",
            "http://a.test:8080/x@y",
            "http://127.0.0.1:4010",
            "https://me@a.test",
            "mailto:me@a.test",
        ] {
            check(text, None);
        }
    }
}
