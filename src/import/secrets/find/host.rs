//! Hosts that are somebody's own: their first label names a resource.

use super::Find;

/// What comes after the name of a resource, and perhaps a region.
const SUFFIXES: [&str; 17] = [
    ".openai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
    ".cognitiveservices.azure.com",
    ".cognitiveservices.azure.us",
    ".cognitiveservices.azure.cn",
    ".services.ai.azure.com",
    ".models.ai.azure.com",
    ".inference.ai.azure.com",
    ".inference.ml.azure.com",
    ".infra.ai.azure.com",
    ".azure-api.net",
    ".azurewebsites.net",
    ".search.windows.net",
    ".blob.core.windows.net",
    ".vault.azure.net",
    ".azurecontainerapps.io",
];

/// First labels that are everybody's, or in every manual.
const COMMON: [&str; 9] =
    ["api", "contoso", "docs", "models", "my-resource", "resource", "resource-name", "resourcename", "www"];

/// The names of resources in hosts.
pub(super) fn all(text: &[u8]) -> Vec<Find> {
    let dots = text.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    dots.filter_map(|(at, _)| resource(text, at)).collect()
}

/// The name of the resource whose host has its suffix at `at`.
fn resource(text: &[u8], at: usize) -> Option<Find> {
    let begins = |suffix: &&&str| {
        text[at..].get(..suffix.len()).is_some_and(|found| found.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    let suffix = SUFFIXES.iter().find(begins)?;
    let goes_on = match &text[at + suffix.len()..] {
        [b'.', next, ..] | [next, ..] => next.is_ascii_alphanumeric() || *next == b'-',
        [] => false,
    };
    let in_host = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let start = at - text[..at].iter().rev().take(LONGEST).take_while(in_host).count();
    let label = text[start..at].split(|byte| *byte == b'.').next().filter(|label| !label.is_empty())?;
    let is_common = COMMON.iter().any(|common| label.eq_ignore_ascii_case(common.as_bytes()));
    (!goes_on && !is_common).then(|| Find::whole(start, start + label.len(), "the name of an Azure resource"))
}

/// How many characters a host has at most.
const LONGEST: usize = 253;

#[cfg(test)]
mod tests {
    use super::super::check_only;
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        check_only(all, text, expected);
    }

    #[test]
    fn the_first_label_is_the_resource() {
        check("https://acme-prod.openai.azure.com/openai", Some("acme-prod"));
        check("see ACME.Cognitiveservices.Azure.com.", Some("ACME"));
        check("https://aoai-17.westus3.inference.ml.azure.com", Some("aoai-17"));
        check("acme.privatelink.openai.azure.com", Some("acme"));
    }

    #[test]
    fn hosts_of_everybody_are_no_resources() {
        for text in [
            "https://models.inference.ai.azure.com/chat",
            "https://*.openai.azure.com",
            "https://<name>.openai.azure.com",
            "https://my-resource.openai.azure.com",
            "https://portal.azure.com, ai.azure.com, .openai.azure.com",
            "acme.openai.azure.community",
            "acme.openai.azure.com.test",
            "openai.azure.com",
        ] {
            check(text, None);
        }
    }
}
