"""Where things are in the project, and whose accounts the tests play with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATES = PROJECT / "member-stackset"
DOCUMENTS = PROJECT / "policies" / "iam"
TERRAFORM = TEMPLATES / "terraform"

#: The largest template that CloudFormation takes in a request.
TEMPLATE_BYTES_MAX = 51_200


class Place(NamedTuple):
    """Where a template is deployed."""

    account: str
    region: str
    partition: str = "aws"

    @property
    def url_suffix(self) -> str:
        """What ends the names of services there."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


HUB = Place("999988887777", "us-east-1")
MEMBER = Place("111122223333", "eu-west-1")
OTHER = Place("444455556666", "eu-west-1")
ORGANIZATION = "o-abcdefghij"
OTHER_ORGANIZATION = "o-zyxwvutsrq"
EXTERNAL_ID = "o-abcdefghij/spothub"
