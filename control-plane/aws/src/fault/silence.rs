//! Why a request never left, read from the causes of an SDK error: those that only the hub's operator can put right.

use std::error::Error;
use std::io::{self, ErrorKind};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use spothub_core::fault::Unable;

/// What the resolver of names says, in its own layer or in the system's.
const NO_NAME: [&str; 2] = ["dns error", "failed to lookup address information"];
/// The connector's word for its own time-out; that of a whole attempt says nothing of the connection.
const NO_CONNECT: &str = "HTTP connect timeout";

/// What the system says of a connection that never was.
const UNCONNECTED: [ErrorKind; 5] = [
    ErrorKind::ConnectionRefused,
    ErrorKind::HostUnreachable,
    ErrorKind::NetworkUnreachable,
    ErrorKind::NetworkDown,
    ErrorKind::AddrNotAvailable,
];

/// What kept the last attempt from being sent; `None` where it may have been.
pub(super) fn unable<E>(error: &SdkError<E, HttpResponse>) -> Option<Unable> {
    let SdkError::DispatchFailure(failure) = error else { return None };
    let mut next = failure.as_connector_error().map(|found| found as &(dyn Error + 'static));
    let mut found = None;
    // The first cause that is known, but a name that is not comes before the connection that failed for it.
    while let Some(cause) = next {
        match of(cause) {
            Some(why @ (Unable::NoHost | Unable::NoCredentials)) => return Some(why),
            why => found = found.or(why),
        }
        next = cause.source();
    }
    found
}

fn of(cause: &(dyn Error + 'static)) -> Option<Unable> {
    if cause.is::<CredentialsError>() {
        return Some(Unable::NoCredentials);
    }
    let text = cause.to_string();
    if NO_NAME.iter().any(|words| text.starts_with(words)) {
        return Some(Unable::NoHost);
    }
    if text.contains(NO_CONNECT) {
        return Some(Unable::NoConnection);
    }
    let kind = cause.downcast_ref::<io::Error>()?.kind();
    UNCONNECTED.contains(&kind).then_some(Unable::NoConnection)
}
