//! Connections, of which there are only so many, and each of which must say something now and then.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{future::Future, io};

use axum::Router;
use axum::extract::{Request, State};
use axum::serve::Listener;
use spothub_core::port::Clock;
use spothub_core::time::Span;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::door::{Desk, answer};

/// Connections at once: a browser opens up to six to one host, so fifty pages fit, each with its own connection or two;
/// beyond that the next one waits to be taken. There are no event streams: pages ask again and again.
pub const CONNECTIONS_MAX: usize = 256;
/// A connection that says nothing for so long is closed; a page asks every five seconds.
const SILENT_MAX: Span = Span::secs(30);

/// Serves until `stop` is done.
pub async fn serve(
    desk: Arc<Desk>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let clock = Arc::clone(&desk.clock);
    let router = Router::new()
        .fallback(|State(desk): State<Arc<Desk>>, request: Request| async move { answer(&desk, request).await })
        .with_state(desk);
    let limited = Limited { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), clock };
    axum::serve(limited, router).with_graceful_shutdown(stop).await
}

struct Limited {
    listener: TcpListener,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Connection { stream, _place: place, patience: patience(&self.clock), clock: Arc::clone(&self.clock) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

fn patience(clock: &Arc<dyn Clock>) -> Wait {
    let clock = Arc::clone(clock);
    Box::pin(async move { clock.sleep_until(clock.now() + SILENT_MAX).await })
}

struct Connection {
    stream: TcpStream,
    _place: Option<OwnedSemaphorePermit>,
    patience: Wait,
    clock: Arc<dyn Clock>,
}

impl Connection {
    /// What came of it, or the end of patience.
    fn or_silent<T>(&mut self, found: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if found.is_ready() {
            self.patience = patience(&self.clock);
            return found;
        }
        self.patience.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let found = Pin::new(&mut self.stream).poll_read(cx, to);
        self.or_silent(found, cx)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let found = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.or_silent(found, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
