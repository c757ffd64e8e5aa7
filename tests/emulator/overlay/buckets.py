"""P17: S3 looks at a bucket's policy and expected owner, and tells a delete marker from a version that is not there.

Knows owners, policies and markers; objects and their versions are moto's.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import AccessDeniedByLock, MethodNotAllowed
from moto.s3.models import FakeBucket, FakeDeleteMarker, s3_backends
from moto.s3.responses import S3Response

from overlay.declared import Patch, replace
from overlay.evaluation import admitted
from overlay.trust import CALLING


def _owned(vanilla: Any) -> Any:
    def key_response(self: S3Response, request: Any, full_url: str) -> Any:
        expected = request.headers.get("x-amz-expected-bucket-owner")
        _, owner = s3_backends.bucket_accounts.get(self.parse_bucket_name_from_url(request, full_url), (None, None))
        if expected and owner and expected != owner:
            raise AccessDeniedByLock
        return vanilla(self, request, full_url)

    return key_response


def _marked(vanilla: Any) -> Any:
    def get_key(self: S3Response, validate_storage_class: bool = True) -> Any:
        version = self.querystring.get("versionId", [None])[0]
        if version is not None:
            key = self.parse_key_name()
            found = self.backend.get_object(self.bucket_name, key, version_id=version, return_delete_marker=True)
            if isinstance(found, FakeDeleteMarker):
                raise MethodNotAllowed
        return vanilla(self, validate_storage_class)

    return get_key


def _permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What the bucket's policy says of who calls; what a stack does for itself is not asked about."""
    caller = CALLING.get()
    if self.policy is None or caller is None:
        return PermissionResult.NEUTRAL
    said = admitted(self.policy.decode(), caller, action, resource, self.region_name, {})
    known = {"Allow": PermissionResult.PERMITTED, "Deny": PermissionResult.DENIED}
    return known.get(said.decision, PermissionResult.NEUTRAL)


def _apply() -> None:
    replace(FakeBucket, "get_permission", _permission)
    replace(S3Response, "_key_response", _owned(vars(S3Response)["_key_response"]))
    replace(S3Response, "_get_key", _marked(vars(S3Response)["_get_key"]))


PATCH = Patch(
    name="P17",
    gap=(
        "ExpectedBucketOwner is not looked at; GetObject of a delete marker by its version id says NoSuchVersion;"
        " calls of S3 have no action, so no policy and no fault can name them; conditions in a bucket's policy are not"
        " read"
    ),
    touches=(
        "moto.s3.responses:S3Response._key_response",
        "moto.s3.responses:S3Response._get_key",
        "moto.s3.models:S3Backend.get_object",
        "moto.s3.models:s3_backends",
        "moto.s3.models:FakeBucket.get_permission",
        "moto.s3.models:FakeDeleteMarker",
    ),
    apply=_apply,
)
