//! Pages of HTML that proxies and portals send where an API was asked. Nothing in them is from the
//! request.

use bytes::Bytes;
use http::StatusCode;

use super::Vendor;
use crate::plan::dialect::openai::ray;
use crate::plan::dialect::{Facts, Lines, http_date};
use crate::plan::timeline::Head;

/// The page of a vendor for a status.
pub(super) fn page(vendor: Vendor, status: StatusCode, facts: &Facts<'_>) -> (Head, Bytes) {
    let date = http_date(facts.now);
    let mut lines = Lines::default();
    match vendor {
        Vendor::Nginx => {
            let page = nginx(status);
            lines.add("Server", "nginx").add("Date", date).add("Content-Type", "text/html");
            lines.add("Content-Length", page.len().to_string()).add("Connection", "keep-alive");
            finished(lines, status, page)
        }
        // The load balancer's pages are nginx's without the last line: a 502 has 122 bytes. (I)
        Vendor::AwsElb => {
            let page = plain(status, "");
            lines.add("Server", "awselb/2.0").add("Date", date).add("Content-Type", "text/html");
            lines.add("Content-Length", page.len().to_string()).add("Connection", "keep-alive");
            finished(lines, status, page)
        }
        Vendor::Cloudflare => {
            let ray = ray(facts);
            let id = ray.split('-').next().unwrap_or_default();
            let challenge = !status.is_server_error();
            let page = if challenge { just_a_moment(id) } else { cloudflare(status, id) };
            lines.add("Date", date).add("Content-Type", "text/html; charset=UTF-8");
            lines.add("Content-Length", page.len().to_string()).add("Connection", "keep-alive");
            lines.add_if(challenge, "cf-mitigated", "challenge");
            lines.add("X-Frame-Options", "SAMEORIGIN").add("Referrer-Policy", "same-origin");
            lines.add(
                "Cache-Control",
                "private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
            );
            lines
                .add("Expires", "Thu, 01 Jan 1970 00:00:01 GMT")
                .add("Server", "cloudflare")
                .add("CF-RAY", ray);
            finished(lines, status, page)
        }
        Vendor::Login => {
            let page = LOGIN.to_owned();
            lines.add("Date", date).add("Content-Type", "text/html; charset=utf-8");
            lines.add("Content-Length", page.len().to_string()).add("Connection", "keep-alive");
            lines.add("Cache-Control", "no-cache, no-store").add("Pragma", "no-cache").add("Expires", "-1");
            finished(lines, status, page)
        }
    }
}

/// The reason phrase of a status that has none by itself, or another one on the wire. (52x I, 499 and 529 U)
pub(super) fn reason(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        499 => "Client Closed Request",
        520 => "Origin Error",
        521 => "Origin Down",
        522 => "Origin Connection Time-out",
        523 => "Origin Unreachable",
        524 => "Origin Time-out",
        525 => "Origin SSL Handshake Error",
        526 => "Origin SSL Certificate Error",
        529 => "Overloaded",
        _ => return None,
    })
}

fn finished(lines: Lines, status: StatusCode, page: String) -> (Head, Bytes) {
    let reason = reason(status).or_else(|| spelled(status));
    (Head { reason: reason.map(Into::into), ..lines.head(status) }, page.into())
}

/// nginx's own reason phrases, where they are not the usual ones.
fn spelled(status: StatusCode) -> Option<&'static str> {
    Some(match status.as_u16() {
        302 => "Moved Temporarily",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        416 => "Requested Range Not Satisfiable",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => return None,
    })
}

/// A status in words, for titles.
fn words(status: StatusCode) -> &'static str {
    spelled(status).or_else(|| status.canonical_reason()).or_else(|| reason(status)).unwrap_or("Error")
}

/// nginx's page: of a server without a site, or of an error.
fn nginx(status: StatusCode) -> String {
    if status.is_success() { WELCOME.to_owned() } else { plain(status, "<hr><center>nginx</center>\r\n") }
}

fn plain(status: StatusCode, server: &str) -> String {
    // nginx puts the old phrase on the line of a 302 and the usual one into its page.
    let words = if status == StatusCode::FOUND { "Found" } else { words(status) };
    let title = format!("{} {words}", status.as_str());
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n{server}</body>\r\n</html>\r\n"
    )
}

/// Cloudflare's page about an origin that fails.
fn cloudflare(status: StatusCode, ray: &str) -> String {
    let code = status.as_u16();
    let (title, happened) = match code {
        502 => ("Bad gateway", "The web server reported a bad gateway error."),
        504 => ("Gateway time-out", "The web server reported a gateway time-out error."),
        520 => {
            ("Web server is returning an unknown error", "The web server sent an answer that means nothing.")
        }
        521 => ("Web server is down", "The web server refuses connections."),
        522 => ("Connection timed out", "The connection to the web server timed out."),
        523 => ("Origin is unreachable", "The web server cannot be reached."),
        524 => ("A timeout occurred", "The web server took the request and did not answer in time."),
        525 => ("SSL handshake failed", "No secure connection to the web server could be made."),
        526 => ("Invalid SSL certificate", "The certificate of the web server is not valid."),
        _ => (words(status), "The web server reported an error."),
    };
    format!(
        r#"<!DOCTYPE html>
<html class="no-js" lang="en-US">
<head>
<title>api.example.com | {code}: {title}</title>
<meta charset="UTF-8" />
<meta name="robots" content="noindex, nofollow" />
<meta name="viewport" content="width=device-width,initial-scale=1" />
<link rel="stylesheet" id="cf_styles-css" href="/cdn-cgi/styles/main.css" />
</head>
<body>
<div id="cf-wrapper">
  <div id="cf-error-details" class="p-0">
    <header>
      <h1><span class="inline-block">{title}</span> <span class="code-label">Error code {code}</span></h1>
    </header>
    <section>
      <h2>What happened?</h2>
      <p>{happened}</p>
      <h2>What can I do?</h2>
      <p>Please try again in a few minutes.</p>
    </section>
    <div class="cf-error-footer">
      <p><span class="cf-footer-item">Cloudflare Ray ID: <strong>{ray}</strong></span> &bull; <span class="cf-footer-item">Performance &amp; security by Cloudflare</span></p>
    </div>
  </div>
</div>
</body>
</html>
"#
    )
}

/// Cloudflare's page for a client that it takes for a robot.
fn just_a_moment(ray: &str) -> String {
    format!(
        r#"<!DOCTYPE html>
<html lang="en-US">
<head>
<title>Just a moment...</title>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">
<meta name="robots" content="noindex,nofollow">
<meta name="viewport" content="width=device-width,initial-scale=1">
</head>
<body>
<div class="main-wrapper" role="main">
<noscript><span id="challenge-error-text">Enable JavaScript and cookies to continue</span></noscript>
</div>
<script>window._cf_chl_opt = {{ cRay: '{ray}', cType: 'managed' }};</script>
</body>
</html>
"#
    )
}

/// What nginx serves until it is told what to serve.
const WELCOME: &str = "<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, nginx is installed and working, and nothing else is set up here yet.</p>
</body>
</html>
";

/// The sign-in page of a portal: a network that wants a login, or a gateway whose session is over.
const LOGIN: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Sign in</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
</head>
<body>
<main>
<h1>Sign in to continue</h1>
<form method="post" action="/login">
<label>User name <input type="text" name="username" autocomplete="username"></label>
<label>Password <input type="password" name="password" autocomplete="current-password"></label>
<button type="submit">Sign in</button>
</form>
</main>
</body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pages_have_the_lengths_of_real_ones() {
        let status = |code| StatusCode::from_u16(code).unwrap();
        assert_eq!(nginx(status(502)).len(), 150);
        assert_eq!(plain(status(502), "").len(), 122);
        assert_eq!(plain(status(503), "").len(), 162);
    }

    #[test]
    fn every_status_has_a_title() {
        for code in 200..600 {
            let status = StatusCode::from_u16(code).unwrap();
            assert!(!words(status).is_empty());
            assert!(cloudflare(status, "0").contains(&format!("Error code {code}<")), "{code}");
        }
    }
}
