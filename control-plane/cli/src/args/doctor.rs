//! What `doctor` takes.

use spothub_core::id::{AccountId, Region};
use spothub_core::time::Span;

use super::Format;

/// Examples of its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  spothub doctor --config spothub.yaml              everything
  spothub doctor --config spothub.yaml --account 123456789012 --region eu-west-1
  spothub doctor --config spothub.yaml --no-probe --output json

Exit codes:
  0  nothing is missing; what there are warnings of works all the same
  1  AWS could not be asked, or no account could be looked at
  2  the command line or an input file is wrong; nothing was begun
  3  something is missing, not as it must be, or could not be found out:
     the table names it, with what to do";

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Only this account, of those that are enrolled; may be given again.
    #[arg(id = "account", long, value_name = "ID")]
    pub accounts: Vec<AccountId>,

    /// Only this region, of those that are served; may be given again.
    #[arg(id = "region", long, value_name = "REGION")]
    pub regions: Vec<Region>,

    /// Sends no probe events.
    #[arg(long)]
    pub no_probe: bool,

    /// How long each probe may take from its account to the hub.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = wait)]
    pub probe_wait: Span,

    /// How the findings are printed: a table of what is not as it should be, or every row.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub output: Format,

    /// Where the settings of the hub are.
    #[command(flatten)]
    pub given: super::Given,
}

fn wait(text: &str) -> Result<Span, String> {
    let found = spothub_hub::document::span(text).filter(|span| (Span::secs(1)..=Span::mins(10)).contains(span));
    found.ok_or_else(|| "give a time from 1s to 10m, as 30s".to_owned())
}
