"""The tokens that a poll uses. Its watchers have the same identity in the cloud, but may have different tokens.

The tokens are used in turn, so that a revoked token is noticed and ends the watches that came with it. Pure.
"""

from collections.abc import Iterable
from typing import Final

from google.rpc import code_pb2

from openstackoid.oaktree import statuses
from openstackoid.oaktree.watches.asking import Subject
from openstackoid.oaktree.watches.watchers import Watcher


class TokenRotation:
    """The watchers of one poll, grouped by their tokens."""

    def __init__(self) -> None:
        """Create the rotation without watchers."""
        self._by: Final[dict[str, tuple[Subject, set[Watcher]]]] = {}

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self._by)

    def add(self, watcher: Watcher, subject: Subject) -> None:
        """Add a watcher.

        Args:
            watcher: the watcher.
            subject: the subject, with the token of the watcher's call.
        """
        self._by.setdefault(subject.region.bearer, (subject, set()))[1].add(watcher)

    def drop(self, watcher: Watcher) -> None:
        """Remove a watcher. Its token is no longer used, unless another watcher has the same token."""
        for name, (_, watchers) in list(self._by.items()):
            watchers.discard(watcher)
            if not watchers:
                del self._by[name]

    def next(self) -> Subject:
        """The subject with the next token in the rotation."""
        name = next(iter(self._by))
        token = self._by[name] = self._by.pop(name)
        return token[0]

    def of(self, subject: Subject) -> Iterable[Watcher]:
        """The watchers with the token of this subject."""
        return tuple(self._by[subject.region.bearer][1]) if subject.region.bearer in self._by else ()


def refuses(error: Exception) -> bool:
    """Whether the error means that the cloud refused the token of the request; another token may be valid."""
    return bool(statuses.status(error).code == code_pb2.UNAUTHENTICATED)
