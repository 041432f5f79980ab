//! Values of flags: sizes, addresses, jitter, certificates, each read from one string.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::plan::json::Span;
use crate::plan::pacing::{Jitter, Percentiles};

/// A number of bytes: `10MiB`, `512KiB`, `1000`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) usize);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("expected a size like 10MiB, 512KiB or 1000, got {text:?}");
        let digits = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let (_, factor) =
            UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).ok_or_else(fault)?;
        let number: usize = number.parse().map_err(|_| fault())?;
        number.checked_mul(*factor).map(Self).ok_or_else(fault)
    }
}

/// Where to listen: an address, `localhost:PORT`, or a port of 127.0.0.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.strip_prefix("localhost:").unwrap_or(text).parse::<u16>();
        let local = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let address = local.or_else(|_| text.parse());
        address
            .map(Self)
            .map_err(|_| format!("expected an address like 127.0.0.1:4010, or a port, got {text:?}"))
    }
}

/// What https is served with.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Certificate {
    /// A certificate made for this run.
    SelfSigned,
    /// PEM files: the certificate chain, and its key.
    Files(PathBuf, PathBuf),
    /// Nothing: `LLMIRAGE_TLS=false` in the environment.
    Off,
}

impl FromStr for Certificate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" | "0" | "false" => Ok(Self::Off),
            "self-signed" | "1" | "true" => Ok(Self::SelfSigned),
            files => match files.split_once(',') {
                Some((cert, key)) if !cert.is_empty() && !key.is_empty() => {
                    Ok(Self::Files(cert.into(), key.into()))
                }
                _ => Err(format!("expected two PEM files, CERT,KEY, got {text:?}")),
            },
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfSigned => out.write_str("SelfSigned"),
            Self::Files(cert, key) => write!(out, "Files({}, {})", cert.display(), key.display()),
            Self::Off => out.write_str("Off"),
        }
    }
}

/// `--jitter`: `0.2`, `normal:5ms`, `lognormal:20ms,60ms`, `exponential`.
pub(super) fn jitter(text: &str) -> Result<Jitter, String> {
    let fault = || {
        format!(
            "expected a number from 0 to 1, normal:DUR, lognormal:DUR,DUR (p50, p95) or exponential, got {text:?}"
        )
    };
    let (name, values) = text.split_once(':').unwrap_or((text, ""));
    match (name, values) {
        ("exponential", "") => Ok(Jitter::Exponential),
        ("normal", deviation) => deviation.parse().map(Jitter::Normal).map_err(|_| fault()),
        ("lognormal", percentiles) => {
            let (p50, p95) = percentiles.split_once(',').ok_or_else(fault)?;
            let (p50, p95): (Span, Span) =
                (p50.parse().map_err(|_| fault())?, p95.parse().map_err(|_| fault())?);
            if p50.0.is_zero() || p95 < p50 {
                return Err(format!("expected 0 < p50 <= p95 in lognormal:p50,p95, got {text:?}"));
            }
            Ok(Jitter::Lognormal(Percentiles { p50, p95 }))
        }
        (number, "") => match number.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Jitter::Uniform(share)),
            _ => Err(fault()),
        },
        _ => Err(fault()),
    }
}

/// A factor on times: a number, 0 or more.
pub(super) fn factor(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| format!("expected a number, 0 or more, got {text:?}"))
}

/// Events per second: a number above 0.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("expected a number above 0, got {text:?}"))
}

const UNITS: [(&str, usize); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1000", Some(1_000)),
            ("10MiB", Some(10 << 20)),
            ("512kib", Some(512 << 10)),
            ("1 GB", Some(1_000_000_000)),
            ("", None),
            ("MiB", None),
            ("1.5MiB", None),
            ("-1", None),
            ("10 parsecs", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(text.parse::<Size>().ok(), expected.map(Size), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:4010", Some("127.0.0.1:4010")),
            ("[::1]:0", Some("[::1]:0")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("localhost:8080", Some("127.0.0.1:8080")),
            ("8080", Some("127.0.0.1:8080")),
            ("example.com:80", None),
            ("127.0.0.1", None),
            ("localhost:70000", None),
        ] {
            let expected = expected.map(|address| Listen(address.parse().unwrap()));
            assert_eq!(text.parse::<Listen>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn jitters() {
        let ms = |ms| Span(Duration::from_millis(ms));
        for (text, expected) in [
            ("0.2", Some(Jitter::Uniform(0.2))),
            ("0", Some(Jitter::Uniform(0.0))),
            ("exponential", Some(Jitter::Exponential)),
            ("normal:5ms", Some(Jitter::Normal(ms(5)))),
            ("lognormal:20ms,60ms", Some(Jitter::Lognormal(Percentiles { p50: ms(20), p95: ms(60) }))),
            ("lognormal:60ms,20ms", None),
            ("lognormal:20ms", None),
            ("normal:5", None),
            ("1.5", None),
            ("NaN", None),
            ("uniform", None),
            ("exponential:5ms", None),
        ] {
            assert_eq!(jitter(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn certificates() {
        for (text, expected) in [
            ("self-signed", Some(Certificate::SelfSigned)),
            ("true", Some(Certificate::SelfSigned)),
            ("false", Some(Certificate::Off)),
            ("cert.pem,key.pem", Some(Certificate::Files("cert.pem".into(), "key.pem".into()))),
            ("cert.pem", None),
            ("cert.pem,", None),
        ] {
            assert_eq!(text.parse::<Certificate>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!((factor("0"), rate("0").is_err()), (Ok(0.0), true));
        assert!(factor("-1").is_err() && factor("inf").is_err() && rate("NaN").is_err());
    }
}
