//! Signals: the first asks for a stop in good order, the second ends the process at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::Exit;

/// Tells whoever asks once the process was asked to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for SIGTERM and SIGINT from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        let (tell, told) = watch::channel(false);
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            either(&mut signals).await;
            tracing::info!("asked to stop: the steps in hand are finished, the rest stays in the store");
            tell.send_replace(true);
            either(&mut signals).await;
            tracing::warn!("asked to stop again: the process ends where it stands");
            std::process::exit(i32::from(Exit::Failed.code()));
        });
        Ok(Self(told))
    }

    /// Returns once the process was asked to stop.
    pub(crate) async fn asked(mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Whoever listens is gone without having heard anything, so nothing will ever be asked.
            std::future::pending::<()>().await;
        }
    }
}

async fn either(signals: &mut (Signal, Signal)) {
    tokio::select! {
        biased;
        _ = signals.0.recv() => {}
        _ = signals.1.recv() => {}
    }
}
