"""Clouds that do not answer, in the ways in which clouds do not, and an oaktree server before them."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.oaktree.upstream import Seen, upstream, wait_for_end
from tests.oaktree.world import Oaktree
from tests.ports import free_port

from oaktree.client import Oaktree as Client


def _silent(seen: Seen, sock: Any) -> None:
    wait_for_end(seen, sock)


@contextlib.contextmanager
def hung() -> Iterator[str]:
    """The URL of a cloud that takes requests and does not answer."""
    with upstream(_silent) as cloud:
        yield cloud.url


def dead() -> str:
    """The URL of a cloud that is not there."""
    return f"http://127.0.0.1:{free_port()}"


@contextlib.contextmanager
def served(folder: Path, clouds: Mapping[str, Mapping[str, Any]], **settings: Any) -> Iterator[Client]:
    """An oaktree process over entries of a clouds.yaml, and a client of it."""
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": dict(clouds)}))
    server = Oaktree(folder, file, **settings)
    try:
        with server.channel() as channel:
            yield Client(channel)
    finally:
        server.stop()
