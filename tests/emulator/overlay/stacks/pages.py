"""Lists in pages, with tokens that say where to go on. Knows nothing of what is listed."""

from __future__ import annotations

from typing import Any

from overlay.stacks.refused import invalid


def page(rows: list[Any], params: dict[str, Any], most: int = 100) -> tuple[list[Any], str | None]:
    """One page of `rows`, and the token of the next one if there is one."""
    token = params.get("NextToken")
    if token is not None and not str(token).removeprefix("page-").isdigit():
        raise invalid("The token is not valid.")
    size = params.get("MaxResults") or most
    if not 1 <= size <= 100:
        raise invalid("MaxResults must lie between 1 and 100.")
    start = int(str(token).removeprefix("page-")) if token is not None else 0
    end = start + min(size, most)
    return rows[start:end], f"page-{end}" if end < len(rows) else None


def paged(key: str, rows: list[Any], params: dict[str, Any], most: int = 100) -> dict[str, Any]:
    """The answer with one page under `key`."""
    found, token = page(rows, params, most)
    return {key: found, **({"NextToken": token} if token else {})}
