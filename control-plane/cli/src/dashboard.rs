//! `spothub dashboard`: the store as pages, in a process of its own. Needs the hub's store and nothing else.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use spothub_aws::Uncounted;
use spothub_core::port::Clock;
use spothub_dashboard::{Access, Desk, Sessions, Shared, may_listen, serve};
use tokio::net::TcpListener;

use crate::args::Dashboard;
use crate::clock::WallClock;
use crate::stop::Stop;
use crate::{Exit, Streams};
use crate::{brake, compose, store};

/// Bytes of an access file: a thousand lines with some hundred accounts each.
const ACCESS_BYTES_MAX: u64 = 4 << 20;

/// Serves until it is asked to stop.
pub(crate) fn dashboard(args: &Dashboard, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let access = match args.access.as_deref().map(access).transpose() {
        Ok(access) => access,
        Err(mistakes) => {
            for mistake in mistakes {
                writeln!(streams.err, "error: {mistake}")?;
            }
            return Ok(Exit::Usage);
        }
    };
    let hosts = match may_listen(args.listen, &args.host, access.as_ref()) {
        Ok(hosts) => hosts,
        Err(refused) => {
            writeln!(streams.err, "error: {refused}")?;
            return Ok(Exit::Usage);
        }
    };
    let Some(kept) = brake::find(&args.at, streams)? else { return Ok(Exit::Usage) };
    brake::run(async {
        let stop = Stop::listen().context("cannot listen for signals")?;
        let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
        let seed = compose::seed(&*clock);
        let found = store::found(&kept, Arc::clone(&clock), Arc::new(Uncounted), seed).await?;
        let found = found.context("no hub has used this store yet: begin with spothub run")?;
        let listener = TcpListener::bind(args.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}: give another --listen", args.listen))?;
        let address = listener.local_addr().context("a listener without an address")?;
        let signs_in = access.is_some();
        let desk = Desk {
            shared: Shared::new(found, Arc::clone(&clock)),
            access,
            hosts,
            clock,
            chance: Box::new(chance),
            sessions: Mutex::new(Sessions::default()),
        };
        tracing::info!(%address, signs_in, "the dashboard is served");
        writeln!(streams.err, "The dashboard is at http://{address}/")?;
        serve(Arc::new(desk), listener, stop.asked()).await.context("the dashboard is no longer served")
    })?;
    Ok(Exit::Done)
}

/// The access file; or all that is wrong with it.
fn access(path: &Path) -> Result<Access, Vec<String>> {
    let shown = path.display();
    let told = |why: String| vec![format!("{shown}: {why}")];
    let length = std::fs::metadata(path).map_err(|error| told(error.to_string()))?.len();
    if length > ACCESS_BYTES_MAX {
        return Err(told(format!("{length} bytes, and {ACCESS_BYTES_MAX} is the most")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    Access::parse(&text).map_err(|mistakes| mistakes.iter().map(|one| format!("{shown}: {one}")).collect())
}

/// Random bytes of the system.
fn chance() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).ok().map(|()| bytes)
}
