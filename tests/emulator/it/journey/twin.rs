//! A newcomer is like the member whose place it takes: nothing that the template or configuration asks for is dropped,
//! security above all.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Instance, InstanceAttributeName};
use serde_json::{Value, json};
use spothub_core::id::Site;

use super::Journey;
use crate::clients::{self, Clients};
use crate::emulator::run;
use crate::organization::ENABLED;
use crate::program::QUICK;

/// What has to be alike, as text by its name.
type Facts = BTreeMap<&'static str, String>;

fn description() -> Value {
    let devices = json!([
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200,
            "Encrypted": true, "DeleteOnTermination": true}},
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 30}},
    ]);
    let template = json!({
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "BlockDeviceMappings": devices,
        "Monitoring": {"Enabled": true},
        "UserData": "IyEvYmluL3NoCmVjaG8gaGVsbG8K",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}],
    });
    let mut plain = template.clone();
    plain.as_object_mut().unwrap().remove("TagSpecifications");
    let tags = json!({ENABLED: "true", "team": "shop"});
    let group = |name: &str, more: Value| {
        let mut group = json!({"name": name, "desired": 1, "max": 2, "tags": tags});
        group.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        group
    };
    let configuration = json!({
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "UserData": "#!/bin/sh\necho hello\n",
        "InstanceMonitoring": {"Enabled": true},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "Encrypted": true}}],
    });
    json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [
        group("of a template", json!({"data": template})),
        group("of a numbered version", json!({"data": plain, "version": "1"})),
        group("of a configuration", json!({"launch": "configuration", "data": configuration})),
    ]}]})
}

/// One member of each group with what has to be alike.
async fn members(clients: &Clients) -> BTreeMap<String, Facts> {
    let answer = clients.groups.describe_auto_scaling_groups().send().await.unwrap();
    let mut all = BTreeMap::new();
    for group in answer.auto_scaling_groups() {
        let id = group.instances()[0].instance_id().unwrap();
        let told = clients.ec2.describe_instances().instance_ids(id).send().await.unwrap();
        let instance = told.reservations()[0].instances()[0].clone();
        all.insert(group.auto_scaling_group_name().unwrap().to_owned(), facts(clients, &instance).await);
    }
    all
}

async fn facts(clients: &Clients, instance: &Instance) -> Facts {
    let id = instance.instance_id().unwrap();
    let attribute = |name: InstanceAttributeName| {
        let request = clients.ec2.describe_instance_attribute().instance_id(id).attribute(name);
        async move { request.send().await.unwrap() }
    };
    let user_data = attribute(InstanceAttributeName::UserData).await;
    let filter = Filter::builder().name("attachment.instance-id").values(id).build();
    let volumes = clients.ec2.describe_volumes().filters(filter).send().await.unwrap();
    let volumes: BTreeSet<String> = volumes
        .volumes()
        .iter()
        .map(|v| {
            let device = v.attachments().first().and_then(|a| a.device()).unwrap_or_default();
            let (size, kind, secret) = (v.size(), v.volume_type(), v.encrypted());
            format!("{device} {size:?} {kind:?} {:?} {:?} {secret:?}", v.iops(), v.throughput())
        })
        .collect();
    // Where an interface was asked for, the emulator lists its groups there alone.
    let interfaces = instance.network_interfaces().iter().flat_map(|interface| interface.groups());
    let all = instance.security_groups().iter().chain(interfaces);
    let groups: BTreeSet<&str> = all.filter_map(|group| group.group_id()).collect();
    let metadata = instance.metadata_options();
    let tags: BTreeMap<&str, &str> =
        instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
    Facts::from([
        ("lifecycle", format!("{:?}", instance.instance_lifecycle())),
        ("tokens", format!("{:?}", metadata.and_then(|m| m.http_tokens()))),
        ("hops", format!("{:?}", metadata.and_then(|m| m.http_put_response_hop_limit()))),
        ("user data", format!("{:?}", user_data.user_data().and_then(|data| data.value()))),
        ("security groups", format!("{groups:?}")),
        ("subnet", format!("{:?}", instance.subnet_id())),
        ("image", format!("{:?}", instance.image_id())),
        ("monitoring", format!("{:?}", instance.monitoring().and_then(|m| m.state()))),
        ("volumes", format!("{volumes:?}")),
        ("template's tag", format!("{:?}", tags.get("from"))),
        ("group's tag", format!("{:?}", tags.get("team"))),
    ])
}

#[test]
fn a_newcomer_is_what_the_template_asks_for() {
    let journey = Journey::over(description());
    let site: Site = journey.site("shop", "us-east-1");
    let look = || {
        let (management, site) = (journey.management.clone(), site.clone());
        run(async move { members(&clients::of(&management, &site).await).await })
    };
    let before = look();
    let ran = journey.program(QUICK).once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": 3})), "{}", ran.err);
    for (group, new) in look() {
        let old = &before[&group];
        assert_ne!(old["lifecycle"], new["lifecycle"], "{group}");
        for (what, was) in old.iter().filter(|(what, _)| **what != "lifecycle") {
            assert_eq!(was, &new[what], "{group}: {what}");
        }
        assert!(new["tokens"].contains("Required") && new["user data"].contains("IyEv"), "{group}: {new:?}");
    }
}
