"""Marks in creates: the marked document, the search for what carries the mark, and the document that puts the description right. Pure."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from openstackoid.core.replication.kinds import Kind, Mark
from openstackoid.core.replication.references import body_of

KEY: Final = "openstackoid_operation"  # of metadata; before the mark in a description


def marked(kind: Kind, document: Any, mark: str, own_id: str) -> Any:
    """A create's document with the mark.

    Args:
        kind: of the resource.
        document: as the client sent it, for one cloud.
        mark: of the operation and the cloud.
        own_id: the id that the resource gets, where clients may choose it and this one has not.
    """
    inner = dict(body_of(kind, document) or {})
    match kind.mark:
        case Mark.OWN_ID if not _chosen(inner):
            inner["id"] = own_id
        case Mark.METADATA:
            given = inner.get("metadata")
            inner["metadata"] = {**(given if isinstance(given, dict) else {}), KEY: mark}
        case Mark.DESCRIPTION | Mark.KEPT:
            inner["description"] = f"{KEY}={mark}"
        case _:
            pass
    return {**document, kind.item: inner} if kind.item else inner


def created_id(kind: Kind, document: Any) -> str | None:
    """The id in the answer to a create; None if it has none."""
    value = (body_of(kind, document) or {}).get(kind.id)
    return str(value) if value not in {None, ""} else None


def own_id_of(kind: Kind, document: Any) -> str | None:
    """The id that a marked create will have, if the client's side chooses it."""
    inner = body_of(kind, document) or {}
    value = inner.get(kind.id) if kind.mark in {Mark.OWN_ID, Mark.NAME} else None
    return str(value) if value is not None else None


def unmarked(kind: Kind, document: Any) -> Any | None:
    """The update that puts a description right; None if there is nothing to put right.

    Args:
        kind: of the resource.
        document: as the client sent it.
    """
    if kind.mark is not Mark.DESCRIPTION:
        return None
    inner = body_of(kind, document) or {}
    return {kind.item: {"description": inner.get("description") or ""}}


def search(kind: Kind, collection: str, mark: str, own_id: str | None) -> str:
    """Path and query of the request that shows whether a marked resource is there.

    Args:
        kind: of the resource.
        collection: path of the list.
        mark: of the operation and the cloud.
        own_id: the id, if the client's side chose it.
    """
    if own_id is not None:
        return f"{collection}/{quote(own_id, safe='')}"
    if kind.mark is Mark.METADATA:
        # The newest come first, by default of nova and of cinder: what was sent a moment ago is on the first page.
        return f"{collection}/detail?limit=1000"
    return f"{collection}?{urlencode({'description': f'{KEY}={mark}'})}"


def carriers(kind: Kind, document: Any, mark: str, own_id: str | None) -> list[str] | None:
    """The ids of the resources in an answer to `search` that carry the mark; None if the answer is not the expected document."""
    if own_id is not None:
        inner = body_of(kind, document)
        return None if inner is None else [own_id]
    items = document.get(kind.items) if isinstance(document, dict) else None
    if not isinstance(items, list):
        return None
    return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item and _carries(item, mark)]


def _chosen(inner: dict[str, Any]) -> bool:
    return inner.get("id") not in {None, "", "auto"}


def _carries(item: dict[str, Any], mark: str) -> bool:
    metadata = item.get("metadata")
    if isinstance(metadata, dict) and metadata.get(KEY) == mark:
        return True
    return item.get("description") == f"{KEY}={mark}"
