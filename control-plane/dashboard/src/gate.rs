//! Where it may listen, by which names it may be called, and from which pages it may be asked to change something.

use std::net::{IpAddr, SocketAddr};

use crate::access::Access;

/// Names by which the dashboard may be called.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Names beside those of loopback, without a port.
    names: Vec<String>,
    /// Names of loopback are good, too.
    loopback: bool,
}

/// Why it does not start.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Nobody would have to sign in.
    #[error("beyond loopback everybody signs in: name an access file with --access, or listen on 127.0.0.1")]
    NobodySignsIn,
    /// Without a name, any name would have to be good, and DNS rebinding with it.
    #[error("beyond loopback the name that browsers call it by must be known: give it with --host")]
    NoName,
    /// It is none.
    #[error("{0:?} is no host name: give it without scheme and port, as dashboard.example.com")]
    BadName(String),
}

/// Whether it may listen there, for whom, and by which names. Nothing beyond loopback is ever seen without signing in.
pub fn may_listen(listen: SocketAddr, names: &[String], access: Option<&Access>) -> Result<Hosts, Refused> {
    let loopback = listen.ip().is_loopback();
    for name in names {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if name.is_empty() || name.len() > 253 || !plain {
            return Err(Refused::BadName(name.clone()));
        }
    }
    // A name beside loopback's own means that something passes requests on from elsewhere.
    if (!loopback || !names.is_empty()) && access.is_none() {
        return Err(Refused::NobodySignsIn);
    }
    if !loopback && names.is_empty() {
        return Err(Refused::NoName);
    }
    Ok(Hosts { names: names.iter().map(|name| name.to_ascii_lowercase()).collect(), loopback })
}

/// The name in a Host header, without its port.
fn name(host: &str) -> Option<&str> {
    let (name, rest) = if host.starts_with('[') {
        host.split_at(host.find(']')? + 1)
    } else {
        host.split_at(host.find(':').unwrap_or(host.len()))
    };
    let port = rest.strip_prefix(':');
    let good = rest.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_ok());
    (good && !name.is_empty()).then_some(name)
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Hosts {
    /// Whether a request with this Host header is meant for us. The port may be any: a forwarded one is another.
    #[must_use]
    pub fn admits(&self, host: &str) -> bool {
        let Some(name) = name(host) else { return false };
        self.names.iter().any(|one| one.eq_ignore_ascii_case(name)) || (self.loopback && is_loopback(name))
    }
}

/// Whether a page of our own asks: its origin is the very host that was called. By plain http only on loopback, where
/// nothing is read on the way. `site` is `Sec-Fetch-Site`, where the browser tells it.
#[must_use]
pub fn same_origin(host: &str, origin: Option<&str>, site: Option<&str>) -> bool {
    let ours = origin.is_some_and(|origin| match origin.split_once("://") {
        Some(("https", from)) => from == host,
        Some(("http", from)) => from == host && name(host).is_some_and(is_loopback),
        _ => false,
    });
    ours && site.is_none_or(|site| site == "same-origin")
}

/// Whether the cookie must not travel by plain http.
pub(crate) fn needs_tls(host: &str) -> bool {
    !name(host).is_some_and(is_loopback)
}
