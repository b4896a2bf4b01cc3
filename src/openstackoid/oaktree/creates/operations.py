"""Records of creates in SQL: the requests to each cloud-region, and their progress. Methods block: in a coroutine, use `asyncio.to_thread`.

The records, leases and take-over are `operations.store`'s; here they get oaktree's messages and errors.
"""

import base64
import binascii
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from google.protobuf import json_format

from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import errors
from openstackoid.oaktree.creates.outbox import Outbox
from openstackoid.oaktree.creates.records import (
    LostError,
    Operation,
    Part,
    RecordsError,
    columns_of,
    operation_of,
    part_of,
)
from openstackoid.oaktree.creates.tables import MIGRATIONS, TABLES
from openstackoid.operations import store
from openstackoid.operations.forms import Form
from openstackoid.storage.urls import StoreError


class Operations:
    """All operations of all workers that share a database. Every method raises RecordsError if the database fails."""

    def __init__(
        self,
        url: str,
        *,
        lease: float = 15.0,
        keep: float = 7 * 86400.0,
        clock: Callable[[], float] = time.time,
        webhooks: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> None:
        """Prepare; call `upgrade` before anything else.

        Args:
            url: SQLAlchemy URL, see `storage.databases`. A missing SQLite file is created, with mode 0600.
            lease: duration of a lease, in seconds: a worker that does not renew it counts as dead.
            keep: seconds after which an operation is deleted, with its key.
            clock: seconds since 1970.
            webhooks: the names of the webhooks that are told when an operation of a caller ends.

        Raises:
            RecordsError: the URL is of no supported database, or its driver is not installed.
        """
        self.lease: Final = lease
        form = Form(columns_of, part_of, operation_of)
        with _errors():
            self._store: Final = store.Store(url, TABLES, MIGRATIONS, form, lease=lease, keep=keep, clock=clock)
        self.outbox: Final = Outbox(self._store.database, webhooks, clock)

    def upgrade(self) -> None:
        """Upgrade the tables to the current schema; several workers may do it at the same time."""
        with _errors():
            self._store.upgrade()

    def close(self) -> None:
        """Close the database connections."""
        self._store.close()

    def begin(
        self, caller: str, key: str | None, digest: str, kind: str, locations: Iterable[Location]
    ) -> tuple[Operation, bool]:
        """Record a new operation, owned by this worker.

        Returns:
            The new operation, and True; or the operation that the caller already has under this key, and False.
        """
        places = [json_format.MessageToJson(location, indent=None) for location in locations]
        with _errors():
            return self._store.begin(caller, key, digest, kind, places)

    def take(self, operation: Operation) -> Operation | None:
        """Take over an operation that is done, or whose lease has expired. Returns None if another owner has a valid lease."""
        with _errors():
            return self._store.take(operation)

    def is_over(self, operation: Operation) -> bool:
        """Whether the lease of an operation has expired."""
        return self._store.is_over(operation)

    def beat(self, owners: Iterable[str]) -> None:
        """Renew the leases of these operations."""
        with _errors():
            self._store.beat(owners)

    def change(self, operation: Operation, part: Part) -> None:
        """Record the progress of a part.

        Raises:
            LostError: the operation has another owner now; the caller must not take the next step.
        """
        with _errors():
            self._store.change(operation, part)

    def end(self, operation: Operation) -> None:
        """End the lease of an operation, and put its end into the outbox of webhooks; raises LostError if it has another owner."""
        with _errors():
            self._store.end(
                operation, also=lambda connection: self.outbox.put(connection, operation.id, operation.caller)
            )

    def get(self, caller: str, name: str) -> Operation | None:
        """Get an operation of a caller, by its id or by the caller's key."""
        with _errors():
            return self._store.get(caller, name)

    def page(self, caller: str, size: int, token: str = "") -> tuple[list[Operation], str]:
        """A page of a caller's operations, the newest first, and the token of the next page.

        Raises:
            errors.InvalidError: the token is invalid.
        """
        after = _place(token) if token else None
        with _errors():
            operations, end = self._store.page(caller, size, after)
        return operations, base64.urlsafe_b64encode(end.encode()).decode()

    def known(self, resource_ids: Sequence[str], *, but: str) -> set[str]:
        """Which of these resource ids were created by other operations."""
        with _errors():
            return self._store.recorded(resource_ids, but=but)

    def clean(self) -> int:
        """Delete expired operations that no worker is running. Returns their number."""
        with _errors():
            return self._store.clean()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise RecordsError(str(error)) from error
    except store.LostError as error:
        raise LostError(str(error)) from error


def _place(token: str) -> tuple[int, str]:
    try:
        at, _, name = base64.urlsafe_b64decode(token.encode()).decode().partition(",")
        return int(at), name
    except (binascii.Error, ValueError) as error:
        raise errors.invalid("page_token", "expected next_page_token of the page before, as it came") from error
