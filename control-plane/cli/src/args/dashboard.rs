//! What `dashboard` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::HubStore;

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub dashboard --config spothub.yaml           then open http://127.0.0.1:8417
  spothub dashboard --config spothub.yaml --access access.txt
  spothub dashboard --config spothub.yaml --access access.txt \\
    --listen 0.0.0.0:8417 --host spothub.example.com";

/// What `dashboard` takes.
#[derive(Debug, clap::Args)]
pub struct Dashboard {
    /// Where the hub's store is.
    #[command(flatten)]
    pub at: HubStore,

    /// Where it listens. Beyond loopback only with --access and --host.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8417", env = "SPOTHUB_DASHBOARD_LISTEN")]
    #[arg(hide_env_values = true)]
    pub listen: SocketAddr,

    /// Who may sign in: a line for each, NAME ROLE SHA256-OF-TOKEN [ACCOUNT,...]; then nobody looks without.
    ///
    /// Roles are org-viewer, account-viewer (with its accounts) and operator, who may pause and resume.
    #[arg(long, value_name = "FILE", env = "SPOTHUB_DASHBOARD_ACCESS", hide_env_values = true)]
    pub access: Option<PathBuf>,

    /// A name that browsers call it by, besides those of loopback; may be given several times.
    #[arg(long, value_name = "NAME", env = "SPOTHUB_DASHBOARD_HOST", value_delimiter = ',', hide_env_values = true)]
    pub host: Vec<String>,
}
