"""The other resources that a request names, and the request for one cloud, with that cloud's members in their places. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openstackoid.core.errors import NotReplicableError
from openstackoid.core.replication.kinds import Kind, Reference

# Kind and id (or name) of a resource.
Named = tuple[str, str]
# Nova's words in place of a list of networks.
_WORDS = ("auto", "none")


def check(kind: Kind, document: Any) -> None:
    """Check that a create's document is of one resource that can be in several clouds.

    Raises:
        NotReplicableError: it is not; says what was expected.
    """
    inner = body_of(kind, document)
    if inner is None:
        raise NotReplicableError(
            f"Expected a JSON object with {kind.item}: several at once are not created in several clouds."
        )
    if kind.name == "compute.keypair" and not inner.get("public_key"):
        raise NotReplicableError("Expected public_key: each cloud would make a private key of its own.")
    if kind.name == "compute.server" and any(inner.get(name, 1) not in {1, "1"} for name in ("min_count", "max_count")):
        raise NotReplicableError("Expected one server in each cloud: min_count and max_count are 1.")
    if kind.name == "block-storage.volume" and any(
        inner.get(name) for name in ("snapshot_id", "source_volid", "backup_id")
    ):
        raise NotReplicableError(
            "Expected an empty volume, or one of an image: a snapshot or a volume is of one cloud."
        )


def body_of(kind: Kind, document: Any) -> dict[str, Any] | None:
    """The resource in a document; None if there is none."""
    inner = document.get(kind.item) if kind.item and isinstance(document, dict) else document
    return inner if isinstance(inner, dict) else None


def references(kind: Kind, document: Any) -> list[Named]:
    """Kind and id of each other resource that a request names, without repetition."""
    names: dict[Named, None] = {}
    for reference in kind.references:
        for holder, key in _places(document, reference):
            value = holder[key]
            if isinstance(value, str) and value and value not in _WORDS:
                names[reference.kind, value] = None
    return list(names)


def replaced(kind: Kind, document: Any, members: Mapping[Named, str]) -> Any:
    """The request for one cloud; the given document stays as it is.

    Args:
        kind: of the request's resource.
        document: its JSON.
        members: a resource that the request names -> its id in that cloud.
    """
    copied = _copy(document)
    for reference in kind.references:
        for holder, key in _places(copied, reference):
            value = holder[key]
            if isinstance(value, str):
                holder[key] = members.get((reference.kind, value), value)
    return copied


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def _places(document: Any, reference: Reference) -> Iterator[tuple[Any, Any]]:
    """(container, key or index) of every value at the reference's path."""
    for holder, key in _walk(document, reference.path):
        if reference.when is None or (isinstance(holder, dict) and holder.get(reference.when[0]) == reference.when[1]):
            yield holder, key


def _walk(value: Any, path: Sequence[str]) -> Iterator[tuple[Any, Any]]:
    keys: Sequence[Any] = ()
    if path[0] == "*" and isinstance(value, list):
        keys = range(len(value))
    elif isinstance(value, dict) and path[0] in value:
        keys = (path[0],)
    for key in keys:
        if len(path) == 1:
            yield value, key
        else:
            yield from _walk(value[key], path[1:])
