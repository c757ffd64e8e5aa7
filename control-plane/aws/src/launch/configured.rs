//! A launch configuration, said again as RunInstances has it.

use aws_sdk_autoscaling::types::{BlockDeviceMapping as Mapped, LaunchConfiguration};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    RunInstancesMonitoringEnabled, VolumeType,
};
use spothub_core::catalog::{EbsOptimized, InstanceType};
use spothub_core::id::SubnetId;

/// Auto Scaling says nothing as an empty text; EC2 takes nothing but absence for it.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// Everything that the configuration asks for, in this subnet.
pub(super) fn request(
    request: RunInstancesFluentBuilder,
    found: &LaunchConfiguration,
    kind: &InstanceType,
    subnet: &SubnetId,
) -> RunInstancesFluentBuilder {
    let mappings = found.block_device_mappings();
    let request = request
        .set_image_id(given(found.image_id()))
        .set_key_name(given(found.key_name()))
        .set_kernel_id(given(found.kernel_id()))
        .set_ramdisk_id(given(found.ramdisk_id()))
        .set_user_data(given(found.user_data()))
        .set_iam_instance_profile(given(found.iam_instance_profile()).map(profile))
        .set_block_device_mappings((!mappings.is_empty()).then(|| mappings.iter().map(mapping).collect()))
        .set_monitoring(monitoring(found))
        .set_metadata_options(metadata(found))
        .set_ebs_optimized(optimized(found, kind));
    placed(request, found, subnet)
}

fn profile(text: String) -> IamInstanceProfileSpecification {
    let builder = IamInstanceProfileSpecification::builder();
    if text.starts_with("arn:") { builder.arn(text).build() } else { builder.name(text).build() }
}

fn monitoring(found: &LaunchConfiguration) -> Option<RunInstancesMonitoringEnabled> {
    let enabled = found.instance_monitoring()?.enabled()?;
    Some(RunInstancesMonitoringEnabled::builder().enabled(enabled).build())
}

fn metadata(found: &LaunchConfiguration) -> Option<InstanceMetadataOptionsRequest> {
    let options = found.metadata_options()?;
    Some(
        InstanceMetadataOptionsRequest::builder()
            .set_http_tokens(options.http_tokens().map(|word| HttpTokensState::from(word.as_str())))
            .set_http_put_response_hop_limit(options.http_put_response_hop_limit())
            .set_http_endpoint(options.http_endpoint().map(|w| InstanceMetadataEndpointState::from(w.as_str())))
            .build(),
    )
}

/// Said only where the type leaves the choice: others are optimized anyway, and refuse to be told.
fn optimized(found: &LaunchConfiguration, kind: &InstanceType) -> Option<bool> {
    found.ebs_optimized().filter(|wanted| *wanted && kind.ebs.optimized == EbsOptimized::Supported)
}

/// Subnet and security groups: on the interface where the configuration says something of its address.
fn placed(
    request: RunInstancesFluentBuilder,
    found: &LaunchConfiguration,
    subnet: &SubnetId,
) -> RunInstancesFluentBuilder {
    let groups = (!found.security_groups().is_empty()).then(|| found.security_groups().to_vec());
    let Some(public) = found.associate_public_ip_address() else {
        return request.subnet_id(subnet.as_str()).set_security_group_ids(groups);
    };
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(subnet.as_str())
        .set_groups(groups)
        .associate_public_ip_address(public)
        .delete_on_termination(true)
        .build();
    request.network_interfaces(interface)
}

fn mapping(of: &Mapped) -> BlockDeviceMapping {
    let builder = BlockDeviceMapping::builder().set_device_name(given(of.device_name()));
    if of.no_device() == Some(true) {
        return builder.no_device("").build();
    }
    let ebs = of.ebs().map(|ebs| {
        let snapshot = given(ebs.snapshot_id());
        // A snapshot says by itself whether it is encrypted; "not encrypted" beside one is refused.
        let encrypted = ebs.encrypted().filter(|encrypted| *encrypted || snapshot.is_none());
        EbsBlockDevice::builder()
            .set_snapshot_id(snapshot)
            .set_volume_size(ebs.volume_size())
            .set_volume_type(given(ebs.volume_type()).map(|word| VolumeType::from(word.as_str())))
            .set_delete_on_termination(ebs.delete_on_termination())
            .set_iops(ebs.iops())
            .set_throughput(ebs.throughput())
            .set_encrypted(encrypted)
            .build()
    });
    builder.set_virtual_name(given(of.virtual_name())).set_ebs(ebs).build()
}
