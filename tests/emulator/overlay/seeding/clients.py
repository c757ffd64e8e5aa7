"""Clients for all accounts: one for each service and region, told the account by a header. Knows no service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config


class Clients:
    """Makes a client once and has it act in the account that is chosen at the time of the call."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.session.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        self._made: dict[tuple[str, str], Any] = {}
        self._account: str | None = None

    def of(self, service: str, region: str) -> Any:
        """The client of a service in a region."""
        if (service, region) not in self._made:
            made = self._session.client(
                service,
                region_name=region,
                endpoint_url=self._endpoint,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
            )
            made.meta.events.register("before-send", self._name_account)
            self._made[(service, region)] = made
        return self._made[(service, region)]

    @contextmanager
    def account(self, ident: str) -> Iterator[None]:
        """All calls inside are made in this account."""
        before, self._account = self._account, ident
        try:
            yield
        finally:
            self._account = before

    def _name_account(self, request: Any, **_: Any) -> None:
        if self._account is not None:
            request.headers["x-moto-account-id"] = self._account
