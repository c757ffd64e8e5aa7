"""The allow/deny table: who asks for what, and what AWS has to answer by our documents."""

from __future__ import annotations

from templates.asking import Row
from templates.table import borders, deliveries, groups, launches, passing, reading, work


def rows() -> list[Row]:
    """The whole table."""
    parts = (launches.launches, groups.groups, passing.passing, reading.reading, borders.borders)
    return [row for part in (*parts, deliveries.deliveries, work.work) for row in part()]
