//! Whether everything that the SDK would call is on this machine: only then may safety margins be cut.

use std::net::IpAddr;

use axum::http::Uri;

/// The SDK's variable for all services; with a service's name behind it, for that one alone.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The SDK's switch that makes it forget all of them.
const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// Whether every endpoint is on loopback; otherwise what is not, and what to do.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(super) fn all_on_loopback() -> Result<(), String> {
    judge(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))
}

/// The variable for all services comes before any profile's endpoint, so with it nothing goes elsewhere unnamed.
fn judge(variables: impl Iterator<Item = (String, String)>) -> Result<(), String> {
    let (mut all, mut elsewhere) = (false, Vec::new());
    for (name, value) in variables {
        if name == IGNORE && value.eq_ignore_ascii_case("true") {
            elsewhere.push(name);
        } else if let Some(service) = name.strip_prefix(ENDPOINT) {
            if !on_loopback(&value) {
                elsewhere.push(name);
            } else if service.is_empty() {
                all = true;
            }
        }
    }
    if all && elsewhere.is_empty() {
        return Ok(());
    }
    elsewhere.sort();
    let what = if elsewhere.is_empty() { format!("{ENDPOINT} is not set") } else { elsewhere.join(", ") };
    Err(format!(
        "--unsafe-timings is refused: not every endpoint is on loopback ({what})\n   = {}",
        "it is for an emulator on this machine: set AWS_ENDPOINT_URL=http://127.0.0.1:PORT, or leave it out"
    ))
}

pub(super) fn on_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(variables: &[(&str, &str)]) -> Option<String> {
        judge(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).err()
    }

    #[test]
    fn every_endpoint_counts() {
        let here = ("AWS_ENDPOINT_URL", "http://127.0.0.1:5000");
        assert_eq!(refused(&[here]), None);
        assert_eq!(refused(&[here, ("AWS_ENDPOINT_URL_EC2", "http://[::1]:5000"), ("HOME", "/")]), None);
        assert!(refused(&[]).unwrap().contains("AWS_ENDPOINT_URL is not set"));
        assert!(refused(&[("AWS_ENDPOINT_URL_EC2", "http://localhost:1")]).is_some(), "the others go to AWS");
        for (name, value) in [
            ("AWS_ENDPOINT_URL_EC2", "https://ec2.eu-west-1.amazonaws.com"),
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1.example.com"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1@example.com/"),
            ("AWS_ENDPOINT_URL_SQS", ""),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True"),
        ] {
            assert!(refused(&[here, (name, value)]).unwrap().contains(name), "{value}");
        }
    }
}
