//! Launching like the twin: one instance, tagged on creation, found again by its token or its tag.
//!
//! Knows what is checked before, and what an answer means; the requests stand in `fleet` and `run`.

mod configured;
mod fleet;
mod interface;
mod run;
mod tags;
#[cfg(test)]
mod tests;

use spothub_core::cloud::Route;
use spothub_core::fault::Fault;
use spothub_core::group::Lifecycle;
use spothub_core::port::{Cause, Launch, Launched};

use crate::cloud::{AwsCloud, Failed, Line};
use crate::recipe::Recipe;
use crate::session::Kind;

/// EC2's longest client token.
const TOKEN_MAX: usize = 64;

/// Our own code for an answer that names neither an instance nor an error.
const NAMELESS: &str = "NoInstanceNamed";

/// Launches one instance. What is needed of template and group was read before as a rule, so this is one call.
pub(crate) async fn launch(cloud: &AwsCloud, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
    let site = &launch.group.site;
    let looking = cloud.line(site, Kind::Looking, cause);
    let recipe = looking.recipe(launch.group, launch.source).await?;
    check(launch, &recipe)?;
    let memo = looking.memo(launch.group).await?;
    let tags = tags::instance_tags(launch, &recipe, &memo.tags, &cloud.hub);
    let acting = cloud.line(site, Kind::Acting, cause);
    let answer = match launch.route {
        Route::Fleet => fleet::send(&acting, launch, &recipe, &tags).await,
        Route::Run => run::send(&acting, launch, &recipe, &tags).await,
    };
    match answer {
        Ok(launched) => Ok(launched),
        // A repeated request may be answered with the fleet alone.
        Err(failed) if failed.code == NAMELESS => found(&looking, launch).await.map_err(|_| Fault::Unclear),
        // The token was used with other contents: the tags of group or template changed between two tries. What the
        // first try launched carries the swap's tag.
        Err(failed) if failed.code == "IdempotentParameterMismatch" => found(&looking, launch).await,
        Err(failed) => Err(failed.fault),
    }
}

/// What the simulated cloud refuses likewise, before anything is sent.
fn check(launch: &Launch<'_>, recipe: &Recipe) -> Result<(), Fault> {
    let pools = launch.pools.len();
    match () {
        () if launch.token.is_empty() || launch.token.len() > TOKEN_MAX || !launch.token.is_ascii() => {
            Err(Fault::Invalid("a client token has 1 to 64 ASCII characters"))
        }
        () if pools == 0 || (launch.route == Route::Run && pools != 1) => {
            Err(Fault::Invalid("RunInstances takes one type, CreateFleet at least one"))
        }
        () if recipe.facts.not_on_spot && launch.lifecycle == Lifecycle::Spot => {
            Err(Fault::Invalid("the template asks for what Spot cannot honor"))
        }
        () if launch.route == Route::Fleet && recipe.facts.route == Route::Run => {
            Err(Fault::Invalid("the template does not serve CreateFleet as it stands"))
        }
        () => Ok(()),
    }
}

/// The instance that an earlier try of this swap launched; without one, the request is refused for good.
async fn found(looking: &Line<'_>, launch: &Launch<'_>) -> Result<Launched, Fault> {
    let seen = looking.launched_for(launch.swap).await?;
    let seen = seen.ok_or(Fault::Invalid("its token stands for another request"))?;
    let kind = seen.kind.filter(|kind| launch.pools.iter().any(|pool| pool.kind == *kind));
    let kind = kind.or_else(|| launch.pools.first().map(|pool| pool.kind)).ok_or(Fault::Broken)?;
    Ok(Launched { id: seen.id, kind, refused: Vec::new() })
}

/// A failure that no call gave.
fn failed(fault: Fault) -> Failed {
    Failed { fault, code: String::new(), message: String::new() }
}
