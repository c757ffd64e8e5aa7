//! The emulator's controls: JSON over HTTP.

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

type Body = Full<std::collections::VecDeque<u8>>;

/// A client of `/harness`.
#[derive(Clone)]
pub(crate) struct Control {
    url: String,
    client: Client<HttpConnector, Body>,
}

impl Control {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: format!("{url}/harness"), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// One request; a control that refuses is a mistake in the test.
    async fn send(&self, method: &str, path: &str, given: Option<&Value>) -> Value {
        let body = given.map(ToString::to_string).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(body.into_bytes().into())).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {told}");
        told
    }

    pub(crate) async fn post(&self, path: &str, given: &Value) -> Value {
        self.send("POST", path, Some(given)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, None).await
    }

    pub(crate) async fn delete(&self, path: &str, id: u64) {
        self.send("DELETE", &format!("{path}?id={id}"), None).await;
    }
}
