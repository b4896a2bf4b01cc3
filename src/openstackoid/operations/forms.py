"""What the store of operations knows of them: the interface of an operation and of its parts, and how one side writes and reads their rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import RowMapping


class Leased(Protocol):
    """What a store reads of an operation."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def caller(self) -> str:
        """Who asked for it."""

    @property
    def owner(self) -> str:
        """The worker's name in its lease."""

    @property
    def lease_until(self) -> int:
        """The end of the lease, in milliseconds since 1970."""

    @property
    def done(self) -> bool:
        """Whether it needs no worker any more."""


class Numbered(Protocol):
    """What a store reads of a part."""

    @property
    def number(self) -> int:
        """Its index in the operation, from 0."""


OperationT = TypeVar("OperationT", bound=Leased)
PartT = TypeVar("PartT", bound=Numbered)


@dataclass(frozen=True)
class Form(Generic[OperationT, PartT]):
    """How one side writes and reads rows.

    Attributes:
        columns: the columns of a part that change.
        part: a part from its row.
        operation: an operation from its row, and its parts.
    """

    columns: Callable[[PartT], dict[str, Any]]
    part: Callable[[RowMapping], PartT]
    operation: Callable[[RowMapping, list[PartT]], OperationT]
