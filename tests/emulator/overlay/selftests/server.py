"""Starts a server for the tests and talks to it: clients for accounts, the controls, and the pieces most tests need."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

SERVE = Path(__file__).resolve().parents[1] / "serve.py"
HUB = "123456789012"
REGION = "us-east-1"
IMAGE = "ami-0aaaaaaaaaaaaaaa1"


class Server:
    """One server process, ended when its stdin closes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SERVE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("READY "):
            raise RuntimeError(f"the server said {line!r}")
        self.url = f"http://127.0.0.1:{int(line.split()[1])}"

    def end(self) -> int:
        """Closes stdin and waits."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        return code

    def control(self, method: str, path: str, given: Any = None) -> Any:
        """One request to /harness; an answer that is no success raises `ControlError`."""
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(f"{self.url}/harness{path}", body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(error.code, json.loads(error.read())) from None


class ControlError(Exception):
    """A control that refused."""


def client(
    server: Server, service: str, region: str = REGION, account: str | None = None, keys: Any = None, tries: int = 1
) -> Any:
    """A client for an account: by its header, or with keys that the emulator minted."""
    given = keys or {"AccessKeyId": "testing", "SecretAccessKey": "testing", "SessionToken": None}
    made = boto3.client(
        service,
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(retries={"total_max_attempts": tries, "mode": "standard"}, read_timeout=30),
    )
    if account is not None:

        def name_account(request: Any, **_: Any) -> None:
            request.headers["x-moto-account-id"] = account

        made.meta.events.register("before-send", name_account)
    return made


def until(holds: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Asks again until something is true, for a bounded time."""
    end = time.monotonic() + seconds
    while True:
        found = holds()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.02)


class Case(unittest.TestCase):
    """Tests on one server, reset before each."""

    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = shared()

    def setUp(self) -> None:
        self.control("POST", "/reset")

    def control(self, method: str, path: str, given: Any = None) -> Any:
        """A request to a control."""
        return self.server.control(method, path, given)

    def client(
        self, service: str, region: str = REGION, account: str | None = None, keys: Any = None, tries: int = 1
    ) -> Any:
        """A client of boto3; made once, since making one takes longer than most calls."""
        if keys is not None:
            return client(self.server, service, region, account, keys, tries)
        which = (service, region, account, tries)
        if which not in _clients:
            _clients[which] = client(self.server, service, region, account, None, tries)
        return _clients[which]

    def refused(self, code: str, call: Callable[..., Any], **params: Any) -> Any:
        """The call must be refused with this code; returns the error's answer."""
        from botocore.exceptions import ClientError

        with self.assertRaises(ClientError) as raised:
            call(**params)
        self.assertEqual(raised.exception.response["Error"]["Code"], code, raised.exception)
        return raised.exception.response

    def subnets(self, region: str = REGION, account: str | None = None) -> dict[str, str]:
        """The default subnets by zone."""
        found = self.client("ec2", region, account).describe_subnets()["Subnets"]
        return {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}

    def template(self, name: str = "web", account: str | None = None, **data: Any) -> str:
        """A launch template; returns its id."""
        data = {"ImageId": IMAGE, "InstanceType": "m5.large", **data}
        told = self.client("ec2", account=account).create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData=data
        )
        return told["LaunchTemplate"]["LaunchTemplateId"]

    def group(self, name: str = "g", least: int = 1, most: int = 3, desired: int = 2, **more: Any) -> Any:
        """A group in two zones; returns the client that made it."""
        scaling = self.client("autoscaling")
        if "LaunchTemplate" not in more and "LaunchConfigurationName" not in more:
            more["LaunchTemplate"] = {"LaunchTemplateId": self.template(f"t-{name}"), "Version": "$Latest"}
        zones = self.subnets()
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=least,
            MaxSize=most,
            DesiredCapacity=desired,
            VPCZoneIdentifier=",".join([zones["us-east-1a"], zones["us-east-1b"]]),
            **more,
        )
        return scaling

    def seen(self, name: str = "g") -> Any:
        """The group as it is now."""
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return found["AutoScalingGroups"][0]

    def run_spot(self, zone: str = "us-east-1a", **more: Any) -> str:
        """A Spot instance; returns its id."""
        params = {
            "ImageId": IMAGE,
            "InstanceType": "m5.large",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": self.subnets()[zone],
            "InstanceMarketOptions": {"MarketType": "spot"},
        }
        return self.client("ec2").run_instances(**{**params, **more})["Instances"][0]["InstanceId"]


_shared: list[Server] = []
_clients: dict[Any, Any] = {}


def shared() -> Server:
    """The server that all test classes use; starting one takes seconds."""
    if not _shared:
        _shared.append(Server())
    return _shared[0]


def end_shared() -> None:
    """Ends it."""
    while _shared:
        _shared.pop().end()
