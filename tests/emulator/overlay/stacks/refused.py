"""The refusal of a call, by code and message. Knows nothing else."""

from __future__ import annotations


class Refused(Exception):
    """What CloudFormation answers instead of doing something."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refused:
    """The refusal of nearly everything that is wrong with a request."""
    return Refused("ValidationError", message)
