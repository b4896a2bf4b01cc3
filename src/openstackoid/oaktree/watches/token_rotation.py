"""The tokens that a poll uses. Its watchers are one user to the cloud, but each may have brought a token of their own.

The tokens are used in turn, so that a revoked one is noticed and ends the watches of those who brought it. Pure.
"""

from collections.abc import Iterable
from typing import Final

from google.rpc import code_pb2

from openstackoid.oaktree import statuses
from openstackoid.oaktree.watches.asking import Subject
from openstackoid.oaktree.watches.watchers import Watcher


class TokenRotation:
    """The watchers of one poll, by the token that each brought."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by: Final[dict[str, tuple[Subject, set[Watcher]]]] = {}

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._by)

    def add(self, watcher: Watcher, subject: Subject) -> None:
        """One more who watches.

        Args:
            watcher: who.
            subject: what, with the token that came with the call.
        """
        self._by.setdefault(subject.region.bearer, (subject, set()))[1].add(watcher)

    def drop(self, watcher: Watcher) -> None:
        """One who watches no more; their token is not used for others, unless one of these brought it, too."""
        for name, (_, watchers) in list(self._by.items()):
            watchers.discard(watcher)
            if not watchers:
                del self._by[name]

    def next(self) -> Subject:
        """What to ask, with the token whose turn it is."""
        name = next(iter(self._by))
        found = self._by[name] = self._by.pop(name)
        return found[0]

    def of(self, subject: Subject) -> Iterable[Watcher]:
        """Those who brought the token of this subject."""
        return tuple(self._by[subject.region.bearer][1]) if subject.region.bearer in self._by else ()


def refuses(error: Exception) -> bool:
    """Whether a cloud refuses the token that was asked with: others may count."""
    return bool(statuses.status(error).code == code_pb2.UNAUTHENTICATED)
