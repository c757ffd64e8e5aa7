//! Tags that a newcomer carries from its first moment.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{LaunchTemplateTagSpecification, ResourceType, Tag, TagSpecification};
use spothub_core::port::Launch;

use crate::ec2::{TAG_GROUP, TAG_HUB, TAG_MANAGED, TAG_REPLACES, TAG_SWAP};
use crate::recipe::{Contents, Recipe};
use crate::settings::HubId;

/// EC2 keeps keys with this beginning to itself.
const RESERVED: &str = "aws:";

/// Our own tags.
fn own(launch: &Launch<'_>, hub: &HubId) -> [(String, String); 5] {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    [
        pair(TAG_MANAGED, "true".to_owned()),
        pair(TAG_HUB, hub.as_str().to_owned()),
        pair(TAG_SWAP, launch.swap.to_string()),
        pair(TAG_GROUP, launch.group.name.to_string()),
        pair(TAG_REPLACES, launch.replaces.to_string()),
    ]
}

/// All tags of the instance: the template's, then those that the group gives at launch (software reads them while it
/// boots, before attaching would bring them), then ours.
pub(super) fn instance_tags(
    launch: &Launch<'_>,
    recipe: &Recipe,
    group: &BTreeMap<String, String>,
    hub: &HubId,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    if let Contents::Template(data) = &recipe.contents {
        let specs = data.tag_specifications().iter().filter(|s| s.resource_type() == Some(&ResourceType::Instance));
        let tags = specs.flat_map(LaunchTemplateTagSpecification::tags);
        all.extend(tags.filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))));
    }
    all.extend(group.iter().map(|(key, value)| (key.clone(), value.clone())));
    all.retain(|key, _| !key.starts_with(RESERVED));
    all.extend(own(launch, hub));
    all
}

/// The tags for one kind of resource.
pub(super) fn specification(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// The template's tags of other resources, said again: whether a request's tags are added to a template's or stand
/// instead of them is not documented, and said twice they are right either way.
pub(super) fn others(recipe: &Recipe) -> Vec<TagSpecification> {
    let Contents::Template(data) = &recipe.contents else { return Vec::new() };
    let specs = data.tag_specifications().iter().filter(|s| s.resource_type() != Some(&ResourceType::Instance));
    specs
        .map(|spec| {
            let builder = TagSpecification::builder().set_resource_type(spec.resource_type().cloned());
            builder.set_tags(Some(spec.tags().to_vec())).build()
        })
        .collect()
}

/// Ours among these: what the request itself is tagged with.
pub(super) fn own_only(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = [TAG_MANAGED, TAG_HUB, TAG_SWAP, TAG_GROUP, TAG_REPLACES];
    tags.iter().filter(|(key, _)| ours.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}
