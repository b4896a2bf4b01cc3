"""Oaktrees behind each other as processes: A has B among its own, and B has C; each before a simulated cloud of its own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status
from tests.oaktree.world import Oaktree, Simulated

from oaktree.client import Oaktree as Client
from oaktree.v1 import common_pb2, compute_pb2, operation_pb2
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

LONG = 60.0


@dataclass
class Chain:
    """All three, and a caller of each."""

    servers: dict[str, Oaktree]

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator["Caller"]:
        """A local caller of one."""
        with self.servers[name].channel() as channel:
            yield Caller(Client(channel))


@contextlib.contextmanager
def sites(folder: Path, files: Mapping[str, Path], **settings: Any) -> Iterator[Chain]:
    """Each behind the one before it, over the clouds of a `clouds.yaml`; `settings` are those of the first."""
    made: dict[str, Oaktree] = {}
    try:
        behind: list[dict[str, Any]] = []
        for name, file in reversed(list(files.items())):
            more = settings if name == next(iter(files)) else {}
            (folder / name).mkdir()
            made[name] = Oaktree(
                folder / name, file, **{"id": name, "watch": {"interval": 0.2}, "oaktrees": behind, **more}
            )
            behind = [{"name": f"Site{name}", "target": made[name].address, "plaintext": True}]
        yield Chain(made)
    finally:
        for each in reversed(made.values()):
            each.stop()


def chain(folder: Path, clouds: Simulated, **settings: Any) -> contextlib.AbstractContextManager[Chain]:
    """A, B and C, before cloud-a, cloud-b and cloud-c; `settings` are A's."""
    files = {name: clouds.clouds_yaml(folder / f"{name}.yaml", (f"cloud-{name.lower()}",)) for name in "ABC"}
    return sites(folder, files, **settings)


@dataclass
class Caller:
    """Somebody's calls to one oaktree."""

    stubs: Client
    metadata: tuple[tuple[str, str], ...] = ()

    def create(self, name: str, *places: str, key: str = "", **options: Any) -> "Told":
        """A server in each of the places; everywhere if there are none."""
        asked = compute_pb2.CreateServerRequest(
            locations=[Location(cloud=each) for each in places],
            server=compute_pb2.Server(name=name, flavor_id="1", image_id="2"),
            options=common_pb2.CreateOptions(idempotency_key=key, **options),
        )
        return Told(list(self.stubs.compute.CreateServer(asked, timeout=LONG, metadata=self.metadata)))

    def page(self, size: int = 0, token: str = "") -> operation_pb2.ListOperationsResponse:
        """Operations."""
        asked = operation_pb2.ListOperationsRequest(page_size=size, page_token=token)
        return self.stubs.operations.ListOperations(asked, timeout=LONG, metadata=self.metadata)

    def operations(self, size: int = 0) -> list[operation_pb2.Operation]:
        """All of them, page by page."""
        found: list[operation_pb2.Operation] = []
        token = ""
        while True:
            page = self.page(size, token)
            assert not page.failures
            assert len(page.operations) <= (size or 100)
            found += page.operations
            if not (token := page.next_page_token):
                return found

    def operation(self, name: str) -> operation_pb2.Operation:
        """One."""
        asked = operation_pb2.GetOperationRequest(id=name)
        return self.stubs.operations.GetOperation(asked, timeout=LONG, metadata=self.metadata).operation

    def awaited(self, name: str) -> operation_pb2.Operation:
        """One, when it is done."""
        asked = operation_pb2.WatchOperationRequest(id=name)
        return list(self.stubs.operations.WatchOperation(asked, timeout=LONG, metadata=self.metadata))[-1].operation

    def undo(self, name: str) -> operation_pb2.Operation:
        """One, undone."""
        asked = operation_pb2.UndoOperationRequest(id=name)
        return self.stubs.operations.UndoOperation(asked, timeout=LONG, metadata=self.metadata).operation

    def servers(self) -> set[tuple[str, str]]:
        """(cloud, name) of all that were created, not of those that were there."""
        answers = list(self.stubs.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG, metadata=self.metadata))  # fmt: skip
        assert not any(each.HasField("error") for each in answers[-1].summary.results)
        found = {(each.location.cloud, each.name) for answer in answers for each in answer.servers}
        return {each for each in found if not each[1].startswith(each[0].rpartition("/")[2])}


@dataclass
class Told:
    """What a create told."""

    answers: list[Any]

    @property
    def ids(self) -> set[str]:
        """Of its operations."""
        return {each.progress.operation_id for each in self.answers if each.progress.operation_id}

    @property
    def results(self) -> dict[str, common_pb2.CloudResult]:
        """Of the summary, by cloud."""
        return {each.location.cloud: each for each in self.answers[-1].summary.results}

    @property
    def errors(self) -> dict[str, status_pb2.Status]:
        """Of the summary, by cloud."""
        return {cloud: each.error for cloud, each in self.results.items() if each.HasField("error")}

    def stages(self, cloud: str) -> list[int]:
        """Of a cloud's part, each once."""
        found = [each.progress.stage for each in self.answers if each.progress.location.cloud == cloud]
        return list(dict.fromkeys(found))


def refused(call: Any, *args: Any) -> tuple[str, str]:
    """Code and reason of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*args)
    error = cast("Any", caught.value)
    status = rpc_status.from_call(error)
    assert status is not None, error
    return error.code().name, statuses.reason(status)
