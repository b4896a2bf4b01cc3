"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """Of a check. `skipped`: it could not be made; the detail says what it needs."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked, such as `peer CloudTwo`.
        result: how it is.
        detail: what was found.
        remedy: what to do; None if nothing is to be done.
    """

    check: str
    result: Result
    detail: str
    remedy: str | None = None


def ok(check: str, detail: str) -> Finding:
    """A check that found nothing wrong."""
    return Finding(check, Result.OK, detail)


def warning(check: str, detail: str, remedy: str) -> Finding:
    """A check that found what will be wrong, or may be."""
    return Finding(check, Result.WARNING, detail, remedy)


def failed(check: str, detail: str, remedy: str) -> Finding:
    """A check that found what is wrong."""
    return Finding(check, Result.FAILED, detail, remedy)


def skipped(check: str, detail: str) -> Finding:
    """A check that could not be made."""
    return Finding(check, Result.SKIPPED, detail)
