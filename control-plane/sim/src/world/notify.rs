//! The events that AWS puts on the default buses, in the exact shapes of EventBridge.

use spothub_core::group::MemberState;
use spothub_core::id::InstanceId;
use spothub_core::port::Lane;

use super::World;
use super::arena::Inst;
use crate::record::What;
use crate::seed::mix;

impl World {
    pub(crate) fn publish_state(&mut self, site: u32, id: &InstanceId, state: &str) {
        let detail = format!(r#"{{"instance-id":"{id}","state":"{state}"}}"#);
        self.publish_ec2(site, id, "EC2 Instance State-change Notification", &detail, Lane::Normal);
    }

    pub(crate) fn publish_interruption(&mut self, site: u32, id: &InstanceId) {
        let detail = format!(r#"{{"instance-id":"{id}","instance-action":"terminate"}}"#);
        self.publish_ec2(site, id, "EC2 Spot Instance Interruption Warning", &detail, Lane::Urgent);
    }

    pub(crate) fn publish_rebalance(&mut self, site: u32, id: &InstanceId) {
        let detail = format!(r#"{{"instance-id":"{id}"}}"#);
        self.publish_ec2(site, id, "EC2 Instance Rebalance Recommendation", &detail, Lane::Urgent);
    }

    pub(crate) fn publish_launch(&mut self, inst: Inst) {
        let Some((group, id)) = self.member_of(inst) else { return };
        let cause = "an instance was started in response to a difference between desired and actual capacity";
        self.publish_member(group, &id, inst, "EC2 Instance Launch Successful", "Launching a new EC2 instance", cause);
    }

    pub(crate) fn publish_terminate(&mut self, group: u32, inst: Inst) {
        let Some(id) = self.instances.get(inst).map(|i| i.id.clone()) else { return };
        let cause = "an instance was taken out of service";
        self.publish_member(group, &id, inst, "EC2 Instance Terminate Successful", "Terminating EC2 instance", cause);
    }

    /// The group wanted to launch a member, and AWS had none to give.
    pub(crate) fn publish_failed_launch(&mut self, group: u32) {
        let (now, name) = (self.now(), self.quoted_name(group));
        let (activity, request) = (self.uuid(), self.uuid());
        let site = self.groups[group as usize].site;
        let detail = format!(
            concat!(
                r#"{{"StatusCode":"Failed","AutoScalingGroupName":{name},"ActivityId":"{activity}","Details":{{}},"#,
                r#""RequestId":"{request}","StatusMessage":"InsufficientInstanceCapacity","EndTime":"{now}","#,
                r#""EC2InstanceId":"","StartTime":"{now}","Cause":"an instance was wanted"}}"#
            ),
            name = name,
            activity = activity,
            request = request,
            now = now,
        );
        let resources = self.group_arn(group);
        self.publish(site, "aws.autoscaling", "EC2 Instance Launch Unsuccessful", &resources, &detail, Lane::Normal);
    }

    /// `Started`, `Succeeded`, `Cancelled`: an instance refresh reached that state.
    pub(crate) fn publish_refresh(&mut self, group: u32, state: &str) {
        let name = self.quoted_name(group);
        let refresh = self.uuid();
        let detail = format!(r#"{{"InstanceRefreshId":"{refresh}","AutoScalingGroupName":{name}}}"#);
        let resources = self.group_arn(group);
        let site = self.groups[group as usize].site;
        let kind = format!("EC2 Auto Scaling Instance Refresh {state}");
        self.publish(site, "aws.autoscaling", &kind, &resources, &detail, Lane::Normal);
    }

    fn publish_member(&mut self, group: u32, id: &InstanceId, inst: Inst, kind: &str, what: &str, cause: &str) {
        let Some(instance) = self.instances.get(inst) else { return };
        let site = self.groups[group as usize].site;
        let zone = self.sites[site as usize].zones[&instance.zone].0.clone();
        let subnet = instance.facts.subnet.clone();
        let (now, start) = (self.now(), instance.launched.max(self.start));
        let (activity, request) = (self.uuid(), self.uuid());
        let name = self.quoted_name(group);
        let detail = format!(
            concat!(
                r#"{{"StatusCode":"InProgress","Description":"{what}: {id}","AutoScalingGroupName":{name},"#,
                r#""ActivityId":"{activity}","Details":{{"Availability Zone":"{zone}","Subnet ID":"{subnet}"}},"#,
                r#""RequestId":"{request}","StatusMessage":"","EndTime":"{now}","EC2InstanceId":"{id}","#,
                r#""StartTime":"{start}","Cause":"{cause}"}}"#
            ),
            what = what,
            id = id,
            name = name,
            activity = activity,
            zone = zone,
            subnet = subnet,
            request = request,
            now = now,
            start = start,
            cause = cause,
        );
        let resources = format!("{},\"{}\"", self.group_arn(group), self.instance_arn(site, id));
        self.publish(site, "aws.autoscaling", kind, &resources, &detail, Lane::Normal);
    }

    fn publish_ec2(&mut self, site: u32, id: &InstanceId, kind: &str, detail: &str, lane: Lane) {
        let resources = format!("\"{}\"", self.instance_arn(site, id));
        self.publish(site, "aws.ec2", kind, &resources, detail, lane);
    }

    fn publish(&mut self, site: u32, source: &str, kind: &str, resources: &str, detail: &str, lane: Lane) {
        let id = self.uuid();
        let at = &self.sites[site as usize].site;
        let body = format!(
            concat!(
                r#"{{"version":"0","id":"{id}","detail-type":"{kind}","source":"{source}","account":"{account}","#,
                r#""time":"{time}","region":"{region}","resources":[{resources}],"detail":{detail}}}"#
            ),
            id = id,
            kind = kind,
            source = source,
            account = at.account,
            time = self.now(),
            region = at.region,
            resources = resources,
            detail = detail,
        );
        let bus = self.bus.clone();
        for sent in bus.publish(lane, &id, body) {
            self.emit(What::EventSent { id: sent.0, copies: sent.1 });
        }
    }

    fn member_of(&self, inst: Inst) -> Option<(u32, InstanceId)> {
        let instance = self.instances.get(inst)?;
        let member = instance.member.filter(|m| m.state == MemberState::InService)?;
        Some((member.group, instance.id.clone()))
    }

    fn instance_arn(&self, site: u32, id: &InstanceId) -> String {
        let site = &self.sites[site as usize].site;
        format!("arn:aws:ec2:{}:{}:instance/{id}", site.region, site.account)
    }

    /// Quoted, for a JSON list.
    fn group_arn(&self, number: u32) -> String {
        let group = &self.groups[number as usize];
        let (region, account) = (&group.at.region, group.at.account);
        let uuid = uuid(mix(u64::from(number)), mix(u64::from(number) + 1));
        let arn = format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{}",
            group.key.name
        );
        serde_json::Value::String(arn).to_string()
    }

    fn quoted_name(&self, group: u32) -> String {
        serde_json::Value::String(self.groups[group as usize].key.name.to_string()).to_string()
    }

    fn uuid(&mut self) -> String {
        uuid(self.chance.bits(), self.chance.bits())
    }
}

/// Two numbers in the spelling of a UUID.
pub(crate) fn uuid(a: u64, b: u64) -> String {
    let (a, b) = (format!("{a:016x}"), format!("{b:016x}"));
    format!("{}-{}-{}-{}-{}", &a[..8], &a[8..12], &a[12..], &b[..4], &b[4..])
}
