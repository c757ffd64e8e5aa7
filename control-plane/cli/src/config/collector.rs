//! Where traces go: the endpoint of a collector, checked before anything is sent.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

use super::endpoints::on_loopback;

/// What OTLP over HTTP appends to a collector's address.
const PATH: &str = "v1/traces";

/// The URL that spans are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Collector(String);

impl Collector {
    /// The URL, with its path.
    pub(crate) fn url(&self) -> &str {
        &self.0
    }

    /// Whether what is sent is encrypted.
    pub(crate) fn encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether nobody on the way can read it.
    pub(super) fn is_private(&self) -> bool {
        self.encrypted() || on_loopback(&self.0)
    }
}

/// Why a text is no collector's address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NoCollector;

impl fmt::Display for NoCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a collector's address is http:// or https://, a host, and perhaps a port and a path; what it asks for, as \
             a token, goes into the variable OTEL_EXPORTER_OTLP_HEADERS",
        )
    }
}

impl std::error::Error for NoCollector {}

impl FromStr for Collector {
    type Err = NoCollector;

    /// A path that is given stands as it is; without one it is `/v1/traces`. Names, passwords and queries are refused:
    /// they would be secrets in a place where settings are shown.
    fn from_str(text: &str) -> Result<Self, NoCollector> {
        let uri: Uri = text.parse().map_err(|_| NoCollector)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = uri.query().is_none() && !text.contains(['@', '#']);
        if !known || !plain || uri.host().is_none_or(str::is_empty) {
            return Err(NoCollector);
        }
        let uri = uri.to_string();
        Ok(Self(if uri.ends_with('/') && uri.matches('/').count() == 3 { format!("{uri}{PATH}") } else { uri }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, url, private) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces", true),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces", true),
            ("https://otel.example.com", "https://otel.example.com/v1/traces", true),
            ("https://otel.example.com/otlp/v1/traces", "https://otel.example.com/otlp/v1/traces", true),
            ("http://otel.example.com:4318", "http://otel.example.com:4318/v1/traces", false),
            ("http://10.0.0.1:4318/x/", "http://10.0.0.1:4318/x/", false),
        ] {
            let found: Collector = text.parse().unwrap();
            assert_eq!((found.url(), found.is_private()), (url, private), "{text}");
        }
        for text in [
            "",
            "127.0.0.1:4318",
            "grpc://127.0.0.1:4317",
            "https://user:word@example.com",
            "https://example.com/?token=word",
            "https://",
            "/v1/traces",
        ] {
            assert_eq!(text.parse::<Collector>(), Err(NoCollector), "{text}");
        }
    }
}
