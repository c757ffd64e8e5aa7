"""Whose rights a stack acts with: the caller's, a role's that was given, or all. Knows callers and roles."""

from __future__ import annotations

from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from overlay.calls import Call
from overlay.stacks.acting import Actor
from overlay.stacks.refused import invalid
from overlay.trust import Caller, caller_of, find_role, trusts
from overlay.world import SWITCHES

SERVICE = "cloudformation.amazonaws.com"


def actor_of(call: Call) -> Actor:
    """Whoever asked for a stack; keys that the emulator did not mint may do everything."""
    if not SWITCHES.stacks_act_as_caller:
        return Actor()
    caller = caller_of(call.access_key, call.account, call.region)
    return Actor(call.access_key, call.token) if caller.kind in ("role", "user") else Actor()


def service_role(arn: str, region: str) -> Actor:
    """A role that CloudFormation assumes for a stack."""
    role = find_role(arn, get_partition(region))
    caller = Caller("service", SERVICE, "")
    if role is None or not trusts(role, caller, "sts:AssumeRole", region, {}):
        raise invalid(f"Role {arn} is invalid or cannot be assumed")
    return session(arn, region, "AWSCloudFormation")


def session(arn: str, region: str, name: str) -> Actor:
    """Keys of a role, given without asking whom it trusts."""
    account = arn.split(":")[4]
    made = sts_backends[account][get_partition(region)].assume_role(
        region_name=region, role_session_name=name, role_arn=arn, policy=None, duration=3600, external_id=None
    )
    return Actor(made.access_key_id, made.session_token)
