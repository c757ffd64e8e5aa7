"""Builds an organization on a running server from a JSON description on stdin, and prints all ids that it made.

Talks to the server with boto3 as any program would, but for the header by which the emulator is told the account: one
client for each service and region serves all accounts. Knows nothing of moto and nothing else of the overlay.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# The folder of this file must not be searched: its modules are `overlay.*` and nothing else.
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE)]

from overlay.seeding.clients import Clients  # noqa: E402
from overlay.seeding.description import Account, Description, read  # noqa: E402
from overlay.seeding.hub import build_hub, forward_events  # noqa: E402
from overlay.seeding.site import build_site  # noqa: E402


def build(asked: Description) -> dict[str, Any]:
    """Makes everything, and tells what was made."""
    clients = Clients(asked.endpoint)
    organizations = clients.of("organizations", "us-east-1")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]
    root = organizations.list_roots()["Roots"][0]["Id"]
    units: dict[str, str] = {"": root}
    accounts = [(account, _account(organizations, units, account)) for account in asked.accounts]
    management = organization["MasterAccountId"]
    hub_account = next((ident for account, ident in accounts if account.name == asked.hub_account), management)
    if asked.bare:
        clients.of("cloudformation", asked.home_region).activate_organizations_access()
        hub = {"account": hub_account, "region": asked.home_region}
    else:
        hub = build_hub(clients, asked, hub_account, organization["Id"])
    told = []
    for account, ident in accounts:
        told.append(_member(clients, asked, account, ident, units, hub, organization["Id"]))
    for account, ident in accounts:
        if account.closed:
            organizations.close_account(AccountId=ident)
    return {
        "endpoint": asked.endpoint,
        "organization": {"id": organization["Id"], "root": root, "units": units},
        "management": management,
        "external_id": asked.external_id,
        "hub": hub,
        "accounts": told,
    }


def _account(organizations: Any, units: dict[str, str], account: Account) -> str:
    tags = [{"Key": key, "Value": value} for key, value in account.tags.items()]
    status = organizations.create_account(
        AccountName=account.name, Email=f"{account.name}@example.com"[-64:], Tags=tags
    )["CreateAccountStatus"]
    ident: str = status["AccountId"]
    parent = _unit(organizations, units, account.ou)
    if parent != units[""]:
        organizations.move_account(AccountId=ident, SourceParentId=units[""], DestinationParentId=parent)
    return ident


def _unit(organizations: Any, units: dict[str, str], path: str) -> str:
    """The unit of a path such as `prod/web`, made with all above it."""
    if path not in units:
        above, _, name = path.rpartition("/")
        parent = _unit(organizations, units, above)
        made = organizations.create_organizational_unit(ParentId=parent, Name=name)
        units[path] = made["OrganizationalUnit"]["Id"]
    return units[path]


def _member(
    clients: Clients,
    asked: Description,
    account: Account,
    ident: str,
    units: dict[str, str],
    hub: dict[str, Any],
    organization: str,
) -> dict[str, Any]:
    with clients.account(ident):
        wants_role = account.role and not asked.bare
        role = f"arn:aws:iam::{ident}:role/{asked.member_role}"
        if wants_role:
            _member_role(clients, asked, account, hub, organization)
        forwarder = forward_events(clients, account, ident, hub) if account.forward and not asked.bare else None
        regions = {region: build_site(clients, account, region) for region in account.regions}
    return {
        "id": ident,
        "name": account.name,
        "ou": account.ou,
        "ou_id": units[account.ou],
        "role_arn": role if wants_role else None,
        "forwarder_arn": forwarder,
        "closed": account.closed,
        "regions": regions,
    }


def _member_role(
    clients: Clients, asked: Description, account: Account, hub: dict[str, Any], organization: str
) -> None:
    condition: dict[str, Any] = {
        "StringEquals": {
            "sts:ExternalId": account.external_id or asked.external_id,
            "aws:PrincipalOrgID": organization,
        }
    }
    if asked.trust_hub_role_only:
        condition["ArnEquals"] = {"aws:PrincipalArn": hub["role_arn"]}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{hub['account']}:root"},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    iam = clients.of("iam", "us-east-1")
    iam.create_role(
        RoleName=asked.member_role,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    iam.put_role_policy(
        RoleName=asked.member_role, PolicyName="spothub", PolicyDocument=json.dumps(asked.member_policy)
    )


def main() -> int:
    """Reads stdin, builds, prints; a description that is wrong ends it with 2 before anything is made."""
    try:
        asked = read(json.load(sys.stdin))
    except (ValueError, KeyError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    json.dump(build(asked), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
