"""Organizations as the directory meets it: pages of 20, empty pages, paths, closed accounts, the role in new accounts.

Knows accounts; what their roles may do is judged elsewhere.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.organizations.models import OrganizationsBackend
from moto.organizations.responses import OrganizationsResponse

from overlay.declared import Patch, replace
from overlay.world import SWITCHES

#: The token of the empty page.
EMPTY = "harness-empty-page"
_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class InvalidInput(ServiceException):
    """A parameter that Organizations refuses."""

    code = "InvalidInputException"


def _paged(vanilla: Any) -> Any:
    def listed(self: OrganizationsResponse) -> str:
        size, token = self._get_param("MaxResults"), self._get_param("NextToken")
        if size is not None and not 1 <= int(size) <= 20:
            raise InvalidInput("You specified an invalid value for MaxResults: it must lie between 1 and 20.")
        if SWITCHES.empty_pages and token is None:
            return json.dumps({"Accounts": [], "NextToken": EMPTY})
        given = {"MaxResults": 20, **self.request_params}
        if token == EMPTY:
            del given["NextToken"]
        self.body = json.dumps(given)
        answer = str(vanilla(self))
        return _with_paths(self.organizations_backend, json.loads(answer)) if SWITCHES.account_paths else answer

    return listed


def _with_paths(backend: OrganizationsBackend, told: dict[str, Any]) -> str:
    parents = {one.id: one.parent_id for one in [*backend.ou, *backend.accounts] if one.parent_id}
    for account in told["Accounts"]:
        chain = [account["Id"]]
        while chain[0] in parents:
            chain.insert(0, parents[chain[0]])
        account["Paths"] = ["/".join([backend.org.id, *chain]) + "/"]
    return json.dumps(told)


def _apply() -> None:
    vanilla = OrganizationsBackend.create_account

    def create_account(self: OrganizationsBackend, **kwargs: Any) -> dict[str, Any]:
        told = vanilla(self, **kwargs)
        account = told["CreateAccountStatus"]["AccountId"]
        role = kwargs.get("RoleName", "OrganizationAccountAccessRole")
        iam_backends[account][self.partition].put_role_policy(role, "AdministratorAccess", json.dumps(_ALL))
        return told

    replace(OrganizationsBackend, "create_account", create_account)
    for name in ("list_accounts", "list_accounts_for_parent"):
        replace(OrganizationsResponse, name, _paged(vars(OrganizationsResponse)[name]))


PATCH = Patch(
    name="C-organization",
    gap="the role that CreateAccount makes may do nothing; pages are of any size and never empty; no paths are told",
    touches=(
        "moto.organizations.models:OrganizationsBackend.create_account",
        "moto.organizations.responses:OrganizationsResponse.list_accounts",
        "moto.organizations.responses:OrganizationsResponse.list_accounts_for_parent",
    ),
    apply=_apply,
)
