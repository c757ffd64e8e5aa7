//! A template's network interface, said again for another subnet.

use aws_sdk_ec2::types::{
    ConnectionTrackingSpecification, ConnectionTrackingSpecificationRequest, EnaSrdSpecificationRequest,
    EnaSrdUdpSpecificationRequest, InstanceNetworkInterfaceSpecification, LaunchTemplateEnaSrdSpecification,
    LaunchTemplateInstanceNetworkInterfaceSpecification as Templated,
};
use spothub_core::id::SubnetId;

/// Every field but those that two instances cannot have: interfaces and addresses of their own are a hold.
pub(super) fn again(of: &Templated, subnet: &SubnetId) -> InstanceNetworkInterfaceSpecification {
    let groups = (!of.groups().is_empty()).then(|| of.groups().to_vec());
    InstanceNetworkInterfaceSpecification::builder()
        .device_index(of.device_index().unwrap_or(0))
        .subnet_id(subnet.as_str())
        .set_groups(groups)
        .set_associate_public_ip_address(of.associate_public_ip_address())
        .set_associate_carrier_ip_address(of.associate_carrier_ip_address())
        .set_delete_on_termination(of.delete_on_termination())
        .set_description(of.description().map(ToOwned::to_owned))
        .set_interface_type(of.interface_type().map(ToOwned::to_owned))
        .set_network_card_index(of.network_card_index())
        .set_ipv6_address_count(of.ipv6_address_count())
        .set_secondary_private_ip_address_count(of.secondary_private_ip_address_count())
        .set_ipv4_prefix_count(of.ipv4_prefix_count())
        .set_ipv6_prefix_count(of.ipv6_prefix_count())
        .set_primary_ipv6(of.primary_ipv6())
        .set_ena_queue_count(of.ena_queue_count())
        .set_ena_srd_specification(of.ena_srd_specification().map(srd))
        .set_connection_tracking_specification(of.connection_tracking_specification().map(tracking))
        .build()
}

fn srd(of: &LaunchTemplateEnaSrdSpecification) -> EnaSrdSpecificationRequest {
    let udp = of
        .ena_srd_udp_specification()
        .map(|udp| EnaSrdUdpSpecificationRequest::builder().set_ena_srd_udp_enabled(udp.ena_srd_udp_enabled()).build());
    EnaSrdSpecificationRequest::builder()
        .set_ena_srd_enabled(of.ena_srd_enabled())
        .set_ena_srd_udp_specification(udp)
        .build()
}

fn tracking(of: &ConnectionTrackingSpecification) -> ConnectionTrackingSpecificationRequest {
    ConnectionTrackingSpecificationRequest::builder()
        .set_tcp_established_timeout(of.tcp_established_timeout())
        .set_udp_timeout(of.udp_timeout())
        .set_udp_stream_timeout(of.udp_stream_timeout())
        .build()
}
