"""P12, P13, the call log, faults, and the server itself."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import cbor2
from botocore.exceptions import ClientError, ConnectionClosedError

from overlay.selftests.server import HUB, SERVE, Case, ControlError, Server

SCOPE = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


class Controls(Case):
    """What is asked of the server itself."""

    def calls(self, after: int = 0, **wanted: str) -> list[Any]:
        query = "".join(f"&{name}={value}" for name, value in wanted.items())
        return self.control("GET", f"/calls?after={after}{query}")["calls"]

    def cbor(self, action: str, params: dict[str, Any]) -> tuple[int, Any, Any]:
        request = urllib.request.Request(
            f"{self.server.url}/service/GraniteServiceVersion20100801/operation/{action}",
            cbor2.dumps(params),
            {
                "smithy-protocol": "rpc-v2-cbor",
                "Content-Type": "application/cbor",
                "Authorization": SCOPE.format("monitoring"),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, cbor2.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, cbor2.loads(error.read())

    def test_p12_metrics_go_in_and_out_over_cbor(self) -> None:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        datum = {"MetricName": "Swaps", "Value": 3.0, "Unit": "Count", "Timestamp": cbor2.CBORTag(1, now.timestamp())}
        status, headers, _ = self.cbor("PutMetricData", {"Namespace": "spothub", "MetricData": [datum]})
        self.assertEqual((status, headers["smithy-protocol"]), (200, "rpc-v2-cbor"))
        metric = {"Namespace": "spothub", "MetricName": "Swaps"}
        query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        status, _, told = self.cbor(
            "GetMetricData",
            {
                "StartTime": cbor2.CBORTag(1, now.timestamp() - 300),
                "EndTime": cbor2.CBORTag(1, now.timestamp() + 300),
                "MetricDataQueries": [query],
            },
        )
        self.assertEqual(status, 200, told)
        result = told["MetricDataResults"][0]
        self.assertEqual(result["Values"], [3.0])
        self.assertIsInstance(result["Values"][0], float)
        self.assertIsInstance(result["Timestamps"][0], datetime)
        listed = self.client("cloudwatch").list_metrics(Namespace="spothub")["Metrics"]
        self.assertEqual([metric["MetricName"] for metric in listed], ["Swaps"])
        self.assertEqual(self.calls(service="cloudwatch")[0]["action"], "PutMetricData")

    def test_p12_a_packed_request_is_unpacked(self) -> None:
        data = [{"MetricName": f"metric-{number:04}-{'x' * 60}", "Value": 1.0} for number in range(300)]
        self.client("cloudwatch").put_metric_data(Namespace="packed", MetricData=data)
        told = self.calls(action="PutMetricData")[0]
        self.assertEqual((told["error"], len(told["params"]["MetricData"])), (None, 31))

    def test_p12_errors_come_as_cbor(self) -> None:
        status, _, told = self.cbor("GetDashboard", {"DashboardName": "missing"})
        self.assertGreaterEqual(status, 400)
        self.assertTrue(told["__type"])

    def test_p13_a_missing_action_and_a_crash_are_400_with_codes_of_their_own(self) -> None:
        ec2 = self.client("ec2")
        missing = self.refused("EmulatorNotImplemented", ec2.describe_capacity_blocks)
        self.assertEqual(missing["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.refused("EmulatorNotImplemented", self.client("wellarchitected").list_workloads)
        crash = self.refused("EmulatorCrash", self.client("autoscaling").execute_policy, PolicyName="missing")
        self.assertIn("KeyError", crash["Error"]["Message"])
        told = [(call["action"], call["status"], call["error"]) for call in self.calls(service="autoscaling")]
        self.assertEqual(told, [("ExecutePolicy", 400, "EmulatorCrash")])

    def test_the_call_log_tells_who_what_where_and_with_what_answer(self) -> None:
        ec2 = self.client("ec2", "eu-west-1")
        ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
        self.refused("InvalidParameterValue", ec2.describe_instances, Filters=[{"Name": "x", "Values": ["y"]}])
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
        first, second, third = self.calls()
        self.assertEqual(
            (first["service"], first["action"], first["account"], first["region"], first["changing"], first["status"]),
            ("ec2", "DescribeInstances", HUB, "eu-west-1", False, 200),
        )
        self.assertEqual(first["params"]["Filters"], [{"Name": "instance-state-name", "Values": ["running"]}])
        self.assertIn("Boto3", first["agent"])
        self.assertEqual((second["error"], second["status"]), ("InvalidParameterValue", 400))
        self.assertEqual((third["action"], third["changing"]), ("CreateVpc", True))
        self.assertEqual([call["seq"] for call in self.calls(after=second["seq"])], [third["seq"]])
        self.assertEqual([call["action"] for call in self.calls(changing="true")], ["CreateVpc"])
        counts = self.control("GET", "/calls/counts")["counts"]
        described = next(row for row in counts if row["action"] == "ec2:DescribeInstances")
        self.assertEqual((described["calls"], described["failed"]), (2, 1))
        self.control("DELETE", "/calls")
        self.assertEqual(self.calls(), [])
        self.client("sts").get_caller_identity()
        self.assertGreater(self.calls()[0]["seq"], third["seq"])

    def test_faults_answer_with_a_code_as_often_as_asked(self) -> None:
        fault = self.control(
            "POST", "/faults",
            {"service": "ec2", "action": "Describe*", "region": "us-east-1", "code": "RequestLimitExceeded",
             "count": 2},
        )  # fmt: skip
        ec2 = self.client("ec2")
        self.client("ec2", "eu-west-1").describe_instances()
        for _ in range(2):
            answer = self.refused("RequestLimitExceeded", ec2.describe_instances)
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 503)
        ec2.describe_instances()
        self.assertEqual(self.control("GET", "/faults")["faults"][0]["hit"], 2)
        self.assertEqual(self.calls(error="RequestLimitExceeded")[0]["fault"], fault["id"])

    def test_faults_in_every_protocol(self) -> None:
        self.control("POST", "/faults", {"code": "AccessDeniedException", "status": 400, "count": None})
        for service, call in (
            ("ec2", "describe_instances"),
            ("autoscaling", "describe_auto_scaling_groups"),
            ("organizations", "list_accounts"),
            ("sqs", "list_queues"),
            ("cloudwatch", "list_metrics"),
            ("elbv2", "describe_target_groups"),
        ):
            self.refused("AccessDeniedException", getattr(self.client(service), call))
        self.assertEqual(self.cbor("ListMetrics", {})[2]["__type"], "AccessDeniedException")

    def test_faults_by_content_account_and_skip(self) -> None:
        self.control(
            "POST", "/faults",
            {"action": "CreateQueue", "account": HUB, "contains": '"QueueName": "b"', "skip": 1, "code": "Boom"},
        )  # fmt: skip
        sqs = self.client("sqs")
        sqs.create_queue(QueueName="a")
        sqs.create_queue(QueueName="b")
        self.client("sqs", account="111122223333").create_queue(QueueName="b")
        self.refused("Boom", sqs.create_queue, QueueName="b")

    def test_an_answer_is_lost_after_the_effect_and_the_token_finds_the_instance(self) -> None:
        subnet = self.subnets()["us-east-1a"]
        self.control("POST", "/faults", {"action": "RunInstances", "answer": "close", "effect": True})
        with self.assertRaises((ConnectionClosedError, ClientError)):
            self.run_spot(ClientToken="t", SubnetId=subnet)
        found = self.client("ec2").describe_instances(Filters=[{"Name": "client-token", "Values": ["t"]}])
        made = found["Reservations"][0]["Instances"][0]["InstanceId"]
        self.assertEqual(self.run_spot(ClientToken="t", SubnetId=subnet), made)
        lost = self.calls(action="RunInstances")[0]
        self.assertEqual((lost["status"], lost["error"]), (None, "ConnectionClosed"))

    def test_an_answer_of_500_after_the_effect_and_a_close_without_it(self) -> None:
        self.control("POST", "/faults", {"action": "CreateVpc", "code": "InternalError", "effect": True})
        ec2 = self.client("ec2")
        before = len(ec2.describe_vpcs()["Vpcs"])
        self.refused("InternalError", ec2.create_vpc, CidrBlock="10.1.0.0/16")
        self.assertEqual(len(ec2.describe_vpcs()["Vpcs"]), before + 1)
        self.control("POST", "/faults", {"action": "CreateVpc", "answer": "close"})
        with self.assertRaises(ConnectionClosedError):
            ec2.create_vpc(CidrBlock="10.2.0.0/16")
        self.assertEqual(len(ec2.describe_vpcs()["Vpcs"]), before + 1)

    def test_a_delay_holds_one_call_and_no_other(self) -> None:
        self.control("POST", "/faults", {"action": "DescribeVpcs", "delay": 0.5})
        ec2, took = self.client("ec2"), []

        def slow() -> None:
            began = time.monotonic()
            ec2.describe_vpcs()
            took.append(time.monotonic() - began)

        thread = threading.Thread(target=slow)
        thread.start()
        began = time.monotonic()
        self.client("sts").get_caller_identity()
        self.assertLess(time.monotonic() - began, 0.4)
        thread.join()
        self.assertGreaterEqual(took[0], 0.5)

    def test_a_long_poll_keeps_nobody_waiting(self) -> None:
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        waiting = threading.Thread(target=lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2), daemon=True)
        waiting.start()
        time.sleep(0.1)
        began = time.monotonic()
        self.client("ec2").describe_vpcs()
        self.assertLess(time.monotonic() - began, 1.0)
        waiting.join()

    def test_many_attaches_at_once_count_right(self) -> None:
        self.group(desired=1, most=40)
        new = [self.run_spot() for _ in range(8)]
        scaling = self.client("autoscaling")

        def attach(ident: str) -> None:
            scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[ident])

        threads = [threading.Thread(target=attach, args=(ident,)) for ident in new]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((self.seen()["DesiredCapacity"], len(self.seen()["Instances"])), (9, 9))

    def test_controls_refuse_what_they_do_not_know(self) -> None:
        for path, given in (
            ("/switches", {"nothing": True}),
            ("/switches", {"trust": "yes"}),
            ("/timings", {"pending": "soon"}),
            ("/faults", {"kode": "x"}),
            ("/faults", {"answer": "error"}),
            ("/capacity", {"zones": "a"}),
            ("/spot-prices", {"region": "us-east-1", "zone": "nowhere", "type": "m5.large", "usd": 1}),
            ("/status-checks", {"i-1": "fine"}),
            ("/events", {"account": HUB, "region": "us-east-1", "event": {}}),
            ("/interruptions", {"account": HUB, "region": "us-east-1", "instance": "i-0"}),
        ):
            with self.assertRaises(ControlError, msg=path):
                self.control("POST", path, given)
        with self.assertRaises(ControlError):
            self.control("GET", "/unknown")

    def test_patches_are_declared_with_gap_and_parts(self) -> None:
        told = self.control("GET", "/patches")
        names = {patch["name"] for patch in told["patches"]}
        self.assertLessEqual({"P1", "P3", "P4", "P5", "P7", "P8", "P11", "P12", "P13"}, names)
        self.assertTrue(all(patch["gap"] and patch["touches"] for patch in told["patches"]))

    def test_a_reset_forgets_everything(self) -> None:
        self.control("POST", "/switches", {"identity": True})
        self.control("POST", "/timings", {"pending": 9})
        self.control("POST", "/capacity", {})
        self.control("POST", "/faults", {"code": "x"})
        self.control("POST", "/reset")
        self.assertFalse(self.control("GET", "/switches")["identity"])
        self.assertEqual(self.control("GET", "/timings")["pending"], 0)
        self.assertEqual(self.control("GET", "/capacity")["capacity"], [])
        self.assertEqual(self.control("GET", "/faults")["faults"], [])
        self.client("ec2").describe_vpcs()

    def test_the_directory_has_pages_of_20_and_can_begin_with_an_empty_one(self) -> None:
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        for number in range(25):
            organizations.create_account(AccountName=f"a{number}", Email=f"a{number}@example.com")
        self.refused("InvalidInputException", organizations.list_accounts, MaxResults=21)
        self.assertEqual(len(organizations.list_accounts()["Accounts"]), 20)
        self.control("POST", "/switches", {"empty_pages": True})
        pages = list(organizations.get_paginator("list_accounts").paginate())
        self.assertEqual(len(pages[0]["Accounts"]), 0)
        self.assertEqual(sum(len(page["Accounts"]) for page in pages), 26)
        self.assertEqual({a["State"] for page in pages for a in page["Accounts"]}, {"ACTIVE"})

    def test_accounts_state_their_paths_where_that_is_switched_on(self) -> None:
        organizations = self.client("organizations")
        ident = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        root = organizations.list_roots()["Roots"][0]["Id"]
        unit = organizations.create_organizational_unit(ParentId=root, Name="prod")["OrganizationalUnit"]["Id"]
        made = organizations.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]["AccountId"]
        organizations.move_account(AccountId=made, SourceParentId=root, DestinationParentId=unit)
        found = {row["Id"]: row for row in organizations.list_accounts()["Accounts"]}
        self.assertNotIn("Paths", found[made])
        self.control("POST", "/switches", {"account_paths": True})
        found = {row["Id"]: row for row in organizations.list_accounts()["Accounts"]}
        self.assertEqual(found[made]["Paths"], [f"{ident}/{root}/{unit}/{made}/"])


class Processes(Case):
    """How the server begins and ends."""

    def test_it_listens_on_loopback_only_and_ends_with_its_stdin(self) -> None:
        server = Server()
        port = int(server.url.rsplit(":", 1)[1])
        listening = set()
        for path in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(path, encoding="ascii") as table:
                for line in list(table)[1:]:
                    fields = line.split()
                    address, _, local = fields[1].rpartition(":")
                    if fields[3] == "0A" and int(local, 16) == port:
                        listening.add(address)
        self.assertEqual(listening, {"0100007F"})
        self.assertEqual(server.end(), 0)

    def test_it_ends_on_sigterm(self) -> None:
        server = Server()
        server.process.terminate()
        self.assertEqual(server.process.wait(10), 0)
        assert server.process.stdin is not None and server.process.stdout is not None
        server.process.stdin.close()
        server.process.stdout.close()

    def test_another_version_of_moto_is_refused(self) -> None:
        code = (
            f"import sys; sys.path.insert(0, {str(SERVE.parents[1])!r}); from overlay import declared;"
            "declared.MOTO = '5.2.4'\n"
            "try:\n declared.apply_all()\nexcept declared.Mismatch as error:\n print(error)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertIn("written for 5.2.4 and for no other", told.stdout)
