"""Where a template comes from: the request itself, a bucket, or what was there before. Knows nothing of stacks."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from overlay.calls import Call
from overlay.stacks import template as language
from overlay.stacks.deploying import check_types
from overlay.stacks.refused import invalid
from overlay.stacks.template import Template


def template_of(call: Call, params: dict[str, Any], before: Template | None = None) -> Template:
    """The template that a request names."""
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if params.get("UsePreviousTemplate"):
        if before is None:
            raise invalid("UsePreviousTemplate must not be set where there is no template yet.")
        return before
    if (body is None) == (url is None):
        raise invalid("Either Template URL or Template Body must be specified.")
    if body is not None and len(body.encode()) > language.MAX_BODY:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have"
            f" length less than or equal to {language.MAX_BODY}"
        )
    found = language.read(body if body is not None else _stored(call, url))
    check_types(found)
    return found


def _stored(call: Call, url: str) -> str:
    parts = urlsplit(url)
    host = re.match(r"^(?P<bucket>.+)\.s3[.-]", parts.hostname or "")
    path = unquote(parts.path).lstrip("/")
    bucket, key = (host["bucket"], path) if host else tuple(path.partition("/")[::2])
    for account in list(s3_backends):
        backend = s3_backends[account][get_partition(call.region)]
        if bucket in backend.buckets and key in backend.buckets[bucket].keys:
            text = backend.buckets[bucket].keys[key].value
            if len(text) > language.MAX_STORED:
                raise invalid(f"Template may not exceed {language.MAX_STORED} bytes in size.")
            return str(text.decode())
    raise invalid(f"S3 error: The specified key does not exist. {bucket}/{key}")
