"""What runs and what watches it: log groups, alarms, and ECS clusters, task definitions and services."""

from __future__ import annotations

from overlay.stacks.acting import Failed
from overlay.stacks.kinds.kind import Kind, Place, Props, already, differs, some


class LogGroup(Kind):
    """AWS::Logs::LogGroup."""

    known = frozenset("KmsKeyId LogGroupClass LogGroupName RetentionInDays".split())
    fixed = frozenset({"LogGroupName"})
    name = "LogGroupName"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("LogGroupName") or at.named(512))
        at.call("logs", "create_log_group", logGroupName=name, **some(props, kmsKeyId="KmsKeyId"))
        at.born(name)
        self.update(at, name, {"KmsKeyId": props.get("KmsKeyId")}, props)
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "RetentionInDays"):
            if new.get("RetentionInDays"):
                days = new["RetentionInDays"]
                at.call("logs", "put_retention_policy", logGroupName=physical, retentionInDays=days)
            else:
                at.call("logs", "delete_retention_policy", logGroupName=physical)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("logs", "delete_log_group", logGroupName=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": f"arn:{at.partition}:logs:{at.region}:{at.account}:log-group:{physical}:*"}


class Alarm(Kind):
    """AWS::CloudWatch::Alarm."""

    known = frozenset(
        "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions"
        " EvaluationPeriods ExtendedStatistic InsufficientDataActions MetricName Metrics Namespace OKActions Period"
        " Statistic Threshold TreatMissingData Unit".split()
    )
    fixed = frozenset({"AlarmName"})
    name = "AlarmName"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("AlarmName") or at.named(255))
        if at.look("cloudwatch", "describe_alarms", AlarmNames=[name])["MetricAlarms"]:
            raise already(at, "AWS::CloudWatch::Alarm", name)
        self.update(at, name, {}, props)
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        at.call("cloudwatch", "put_metric_alarm", **{**new, "AlarmName": physical})

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("cloudwatch", "delete_alarms", AlarmNames=[physical])

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": f"arn:{at.partition}:cloudwatch:{at.region}:{at.account}:alarm:{physical}"}


class Cluster(Kind):
    """AWS::ECS::Cluster."""

    known = frozenset("CapacityProviders ClusterName ClusterSettings Tags".split())
    fixed = frozenset({"ClusterName"})
    name = "ClusterName"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("ClusterName") or at.named(255))
        given = some(props, settings="ClusterSettings", capacityProviders="CapacityProviders", tags="Tags")
        at.call("ecs", "create_cluster", clusterName=name, **given)
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "ClusterSettings", "CapacityProviders"):
            raise Failed("Changing a cluster's settings is not supported by this emulator")

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("ecs", "delete_cluster", cluster=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": f"arn:{at.partition}:ecs:{at.region}:{at.account}:cluster/{physical}"}


class TaskDefinition(Kind):
    """AWS::ECS::TaskDefinition: each change is another revision."""

    known = frozenset(
        "ContainerDefinitions Cpu EphemeralStorage ExecutionRoleArn Family Memory NetworkMode RequiresCompatibilities"
        " RuntimePlatform Tags TaskRoleArn Volumes".split()
    )
    fixed = known

    def create(self, at: Place, props: Props) -> str:
        given = {"Family": at.named(255), **props}
        return str(at.call("ecs", "register_task_definition", **given)["taskDefinition"]["taskDefinitionArn"])

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("ecs", "deregister_task_definition", taskDefinition=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"TaskDefinitionArn": physical}


class Service(Kind):
    """AWS::ECS::Service; no task of it ever runs."""

    known = frozenset(
        "CapacityProviderStrategy Cluster DeploymentConfiguration DesiredCount EnableECSManagedTags"
        " EnableExecuteCommand HealthCheckGracePeriodSeconds LaunchType LoadBalancers NetworkConfiguration"
        " PlatformVersion PropagateTags SchedulingStrategy ServiceName Tags TaskDefinition".split()
    )
    fixed = frozenset({"Cluster", "LaunchType", "SchedulingStrategy", "ServiceName"})
    name = "ServiceName"

    def create(self, at: Place, props: Props) -> str:
        given = {"ServiceName": at.named(255), "DesiredCount": 1, **props}
        network = (given.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration")
        if network is not None:
            # moto looks for the groups even where there are none.
            network.setdefault("SecurityGroups", [])
        return str(at.call("ecs", "create_service", **given)["service"]["serviceArn"])

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        names = ("TaskDefinition", "DesiredCount", "DeploymentConfiguration", "NetworkConfiguration", "PlatformVersion")
        given = {name: new[name] for name in names if name in new and differs(old, new, name)}
        cluster = {"cluster": new["Cluster"]} if "Cluster" in new else {}
        at.call("ecs", "update_service", service=physical.rsplit("/", 1)[-1], **cluster, **given)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        cluster = {"cluster": props["Cluster"]} if "Cluster" in props else {}
        at.call("ecs", "delete_service", service=physical.rsplit("/", 1)[-1], force=True, **cluster)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Name": physical.rsplit("/", 1)[-1], "ServiceArn": physical}


KINDS: dict[str, Kind] = {
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::CloudWatch::Alarm": Alarm(),
    "AWS::ECS::Cluster": Cluster(),
    "AWS::ECS::TaskDefinition": TaskDefinition(),
    "AWS::ECS::Service": Service(),
}
