//! What a group launches from: its template version or launch configuration, with the image.
//!
//! A version and a configuration never change, and neither does an image: what was read is kept, and a launch needs no
//! further call. Knows what was asked for; how it is sent stands in `launch`.

mod image;
mod setting;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_autoscaling::types::LaunchConfiguration;
use aws_sdk_ec2::types::{LaunchTemplateVersion, ResponseLaunchTemplateData};
use spothub_core::cloud::TemplateFacts;
use spothub_core::fault::Fault;
use spothub_core::group::Source;
use spothub_core::id::{ConfigurationName, GroupKey, ImageId, ProfileName, RoleArn, Site, TemplateId};

use crate::action::Action;
use crate::bounded::Bounded;
use crate::cloud::{Line, lock};
use image::Image;
use setting::Setting;

/// Recipes kept: a configuration has up to 22 KB of user data, a template's is left out, so some 20 MB at worst.
const RECIPES_MAX: usize = 1024;
/// Images kept; a few short words each.
const IMAGES_MAX: usize = 8192;
/// How an image is named that is looked up in the Parameter Store at each launch.
const ALIAS: &str = "resolve:ssm:";
/// How IAM says that there is no such profile.
const NO_SUCH: &str = "NoSuchEntity";

/// What is asked for, in full.
#[derive(Debug)]
pub(crate) enum Contents {
    /// A launch template's version.
    Template(Box<ResponseLaunchTemplateData>),
    /// A launch configuration.
    Configuration(Box<LaunchConfiguration>),
}

/// A source as it was read.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// What the engine decides by.
    pub(crate) facts: TemplateFacts,
    /// What a launch repeats.
    pub(crate) contents: Contents,
}

/// What was read of sources and images.
pub(crate) struct Recipes {
    recipes: Bounded<(Site, Source), Arc<Recipe>>,
    images: Bounded<(Site, ImageId), Arc<Image>>,
}

impl Recipes {
    /// Nothing read yet.
    pub(crate) const fn empty() -> Self {
        Self { recipes: Bounded::new(RECIPES_MAX), images: Bounded::new(IMAGES_MAX) }
    }
}

impl Line<'_> {
    /// The role of an instance profile; `None` where there is no such profile, or no role in it.
    pub(crate) async fn profile(&self, profile: &ProfileName) -> Result<Option<RoleArn>, Fault> {
        // Nothing else of the engine asks IAM, and the hub asks once an hour: no client is kept.
        let client = aws_sdk_iam::Client::new(self.client.config());
        let request = client.get_instance_profile().instance_profile_name(profile.as_str());
        match self.call(Action::GetInstanceProfile, None, request.send()).await {
            Ok(answer) => {
                let roles = answer.instance_profile.map(|profile| profile.roles).unwrap_or_default();
                Ok(roles.first().and_then(|role| role.arn().parse().ok()))
            }
            Err(failed) if failed.code == NO_SUCH => Ok(None),
            Err(failed) => Err(failed.fault),
        }
    }

    /// What a source asks for. A version that the group leaves open is asked for by the word that the group uses.
    pub(crate) async fn recipe(&self, group: &GroupKey, source: &Source) -> Result<Arc<Recipe>, Fault> {
        if let Some(known) = lock(&self.cloud.recipes).recipes.get(&(self.site.clone(), source.clone())) {
            return Ok(known);
        }
        let (recipe, lasting) = match source {
            Source::Mixed => return Err(Fault::Invalid("a mixed-instances policy is no template")),
            Source::Configuration(name) => (self.configuration(name).await?, true),
            Source::Template { id, version: Some(version) } => self.template_version(id, &version.to_string()).await?,
            Source::Template { id, version: None } => {
                let word = self.memo(group).await?.version.clone();
                // Auto Scaling takes the default version where none is named.
                self.template_version(id, word.as_deref().unwrap_or("$Default")).await?
            }
        };
        let recipe = Arc::new(recipe);
        if lasting {
            let key = (self.site.clone(), recipe.facts.source.clone());
            lock(&self.cloud.recipes).recipes.insert(key, Arc::clone(&recipe));
        }
        Ok(recipe)
    }

    /// One version of a template, and whether it will be the same tomorrow.
    async fn template_version(&self, id: &TemplateId, version: &str) -> Result<(Recipe, bool), Fault> {
        let mut found = self.describe_version(id, version, false).await?;
        let aliased = image_name(&found).starts_with(ALIAS);
        if aliased {
            found = self.describe_version(id, version, true).await?;
        }
        let number = found.version_number().and_then(|n| u64::try_from(n).ok());
        let version = number.ok_or(Fault::Invalid("the template's version has no number"))?;
        let image = image_name(&found).parse().map_err(|_| Fault::Invalid("the template's image cannot be read"))?;
        let image = self.image(&image).await?;
        let mut data = found.launch_template_data.ok_or(Fault::Invalid("the template's version holds nothing"))?;
        // It stays in the template; here it would only take memory.
        data.user_data = None;
        let asked = setting::of_template(&data);
        let mut devices = image.devices.clone();
        for mapping in data.block_device_mappings() {
            let name = mapping.device_name().unwrap_or_default();
            image::map_device(&mut devices, name, mapping.ebs().is_some(), mapping.no_device().is_some());
        }
        let source = Source::Template { id: id.clone(), version: Some(version) };
        let mut facts = self.facts(source, &image, &asked, data.network_interfaces().len(), &devices);
        facts.profile = data.iam_instance_profile().and_then(|given| profile_name(given.arn().or(given.name())?));
        Ok((Recipe { facts, contents: Contents::Template(Box::new(data)) }, !aliased))
    }

    async fn describe_version(
        &self,
        id: &TemplateId,
        version: &str,
        resolved: bool,
    ) -> Result<LaunchTemplateVersion, Fault> {
        let request = self.client.ec2().describe_launch_template_versions().launch_template_id(id.as_str());
        let request = request.versions(version).set_resolve_alias(resolved.then_some(true));
        let answer = self.call(Action::DescribeLaunchTemplateVersions, None, request.send()).await?;
        answer.launch_template_versions.and_then(|rows| rows.into_iter().next()).ok_or(Fault::Gone)
    }

    async fn configuration(&self, name: &ConfigurationName) -> Result<Recipe, Fault> {
        let request = self.client.groups().describe_launch_configurations().launch_configuration_names(name.as_str());
        let answer = self.call(Action::DescribeLaunchConfigurations, None, request.max_records(1).send()).await?;
        let found = answer.launch_configurations.and_then(|rows| rows.into_iter().next()).ok_or(Fault::Gone)?;
        let image = found.image_id().and_then(|id| id.parse().ok());
        let image = self.image(&image.ok_or(Fault::Invalid("the configuration's image cannot be read"))?).await?;
        let asked = setting::of_configuration(&found);
        let mut devices = image.devices.clone();
        for mapping in found.block_device_mappings() {
            let name = mapping.device_name().unwrap_or_default();
            image::map_device(&mut devices, name, mapping.ebs().is_some(), mapping.no_device().unwrap_or(false));
        }
        let mut facts = self.facts(Source::Configuration(name.clone()), &image, &asked, 1, &devices);
        facts.profile = found.iam_instance_profile().and_then(profile_name);
        Ok(Recipe { facts, contents: Contents::Configuration(Box::new(found)) })
    }

    fn facts(
        &self,
        source: Source,
        image: &Image,
        asked: &BTreeSet<Setting>,
        interfaces: usize,
        devices: &BTreeSet<String>,
    ) -> TemplateFacts {
        let configured = matches!(source, Source::Configuration(_));
        let ruling = setting::rule(asked, configured);
        let held = ruling.held.or((!image.product_known).then_some(Setting::Product));
        if let Some(setting) = held {
            let (account, region, setting) = (self.site.account, &self.site.region, setting.label());
            tracing::info!(account = %account, region = %region, source = ?source, setting,
                "a template asks for what Spot cannot honor");
        }
        let at_least_one = |n: usize| u8::try_from(n.max(1)).unwrap_or(u8::MAX);
        TemplateFacts {
            source,
            product: image.product,
            arch: image.arch,
            virtualization: image.virtualization,
            boot_mode: image.boot_mode,
            ena: image.ena,
            network_interfaces: at_least_one(interfaces),
            volumes: at_least_one(devices.len()),
            not_on_spot: held.is_some(),
            profile: None,
            same_type_only: ruling.same_type_only,
            route: ruling.route,
        }
    }

    async fn image(&self, id: &ImageId) -> Result<Arc<Image>, Fault> {
        let key = (self.site.clone(), id.clone());
        if let Some(known) = lock(&self.cloud.recipes).images.get(&key) {
            return Ok(known);
        }
        let request = self.client.ec2().describe_images().image_ids(id.as_str());
        let answer = self.call(Action::DescribeImages, None, request.send()).await?;
        let found = answer.images.and_then(|rows| rows.into_iter().next()).ok_or(Fault::Gone)?;
        let image = Arc::new(image::image(&found)?);
        lock(&self.cloud.recipes).images.insert(key, Arc::clone(&image));
        Ok(image)
    }
}

/// The name of an instance profile that is given by name or by ARN, in which its path stands before it.
fn profile_name(given: &str) -> Option<ProfileName> {
    given.rsplit('/').next()?.parse().ok()
}

fn image_name(version: &LaunchTemplateVersion) -> &str {
    version.launch_template_data().and_then(|data| data.image_id()).unwrap_or_default()
}
