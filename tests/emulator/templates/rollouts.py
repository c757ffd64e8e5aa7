"""The three templates as they are rolled out in tests, and the IAM documents in what they make."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from templates.places import EXTERNAL_ID, HUB, MEMBER, ORGANIZATION, TEMPLATES, Place
from templates.render import RenderError, Stack, read

Documents = dict[tuple[str, str], dict[str, Any]]


@functools.cache
def template(name: str) -> dict[str, Any]:
    """A template by the name of its file."""
    return read(TEMPLATES / f"{name}.yaml")


def bus_arn(place: Place = HUB) -> str:
    """The hub's bus."""
    return f"arn:{place.partition}:events:{place.region}:{place.account}:event-bus/spothub"


def hub(place: Place = HUB, **given: str) -> Stack:
    """The hub's stack."""
    needed = {"OrganizationId": ORGANIZATION, "ExternalId": EXTERNAL_ID, "Regions": "us-east-1,eu-west-1"}
    return Stack(template("hub"), {**needed, **given}, place)


def member_global(place: Place = MEMBER, home: Place = HUB, **given: str) -> Stack:
    """Roles of a member."""
    needed = {
        "HubAccountId": home.account,
        "OrganizationId": ORGANIZATION,
        "ExternalId": EXTERNAL_ID,
        "HubBusArn": bus_arn(home),
    }
    return Stack(template("member-global"), {**needed, **given}, place)


def member_regional(place: Place = MEMBER, home: Place = HUB, **given: str) -> Stack:
    """Rules of a member in a region."""
    return Stack(template("member-regional"), {"HubBusArn": bus_arn(home), **given}, place)


def documents(stack: Stack) -> Documents:
    """Every IAM document in a stack, by what it hangs on and its name. One that hangs on nothing known is an error."""
    found: Documents = {}
    for role in stack.of_type("AWS::IAM::Role").values():
        _put(found, (role["RoleName"], "trust"), role["AssumeRolePolicyDocument"])
        for policy in role.get("Policies", []):
            _put(found, (role["RoleName"], policy["PolicyName"]), policy["PolicyDocument"])
    for policy in stack.of_type("AWS::IAM::Policy").values():
        for role_name in policy["Roles"]:
            _put(found, (role_name, policy["PolicyName"]), policy["PolicyDocument"])
    for policy in stack.of_type("AWS::SQS::QueuePolicy").values():
        for url in policy["Queues"]:
            _put(found, (url.rsplit("/", 1)[-1], "queue"), policy["PolicyDocument"])
    for policy in stack.of_type("AWS::S3::BucketPolicy").values():
        _put(found, (policy["Bucket"], "bucket"), policy["PolicyDocument"])
    for policy in stack.of_type("AWS::Events::EventBusPolicy").values():
        statement = {"Sid": policy["StatementId"], **policy["Statement"]}
        _put(found, (policy["EventBusName"], "bus"), {"Version": "2012-10-17", "Statement": [statement]})
    seen = sum(_count(made["Properties"]) for made in stack.resources.values())
    if seen != len(found):
        raise RenderError(f"{seen} documents, of which {len(found)} hang on something")
    return found


def _put(found: Documents, key: tuple[str, str], document: dict[str, Any]) -> None:
    if key in found:
        raise RenderError(f"two documents for {key}")
    found[key] = document


def _count(part: Any) -> int:
    """Parts that look like an IAM document or a statement of its own, wherever they stand."""
    if isinstance(part, Mapping):
        own = 1 if "Effect" in part.get("Statement", {}) or isinstance(part.get("Statement"), list) else 0
        return own + sum(_count(value) for value in part.values())
    if isinstance(part, list):
        return sum(_count(value) for value in part)
    return 0
