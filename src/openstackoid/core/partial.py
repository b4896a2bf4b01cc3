"""Headers that describe an answer of several clouds; bodies keep the form that OpenStack's clients know. Pure.

    X-Scope-Missing: CloudThree;code=peer.timeout, CloudFour;code=agreement.rule     the clouds that are missing, and why
    X-Scope-Items: CloudOne CloudTwo;0*3 1 0                                         which item of a list is of which cloud: names, and
                                                                                     behind the semicolon the index of one and how many
                                                                                     items of it follow each other
    X-Scope-Cloud: CloudTwo                                                          the cloud of a single resource
    X-Scope-Replica: 3f2a...                                                         id of the replica that a resource is a member of
    X-Scope-Replicas: CloudOne;id=5e1..., CloudTwo;id=77c...                         its members: clouds, and ids there, percent-encoded

A header has 8 KiB at most: missing clouds that have no room in it are counted (`...;more=812`); the header of the items is left out if it is too long.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from operator import ne
from typing import Final
from urllib.parse import quote, unquote

from openstackoid.core.merging import runs
from openstackoid.core.protocol import OF_SEVERAL

MISSING: Final = f"{OF_SEVERAL}Missing"
ITEMS: Final = f"{OF_SEVERAL}Items"
CLOUD: Final = f"{OF_SEVERAL}Cloud"
REPLICA: Final = f"{OF_SEVERAL}Replica"
REPLICAS: Final = f"{OF_SEVERAL}Replicas"
LONGEST: Final = 8 << 10  # characters
_COUNTED: Final = len(", ...;more=100000")
_MOST: Final = 1 << 20  # items: no page has more


def write_missing(missed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The header that names the missing clouds; no header if none is missing.

    Args:
        missed: name and permanent code of each.
    """
    parts: list[str] = []
    size = 0
    for number, (cloud, code) in enumerate(missed):
        part = f"{cloud};code={code}"
        size += len(part) + len(", ")
        if size > LONGEST - _COUNTED:
            parts.append(f"...;more={len(missed) - number}")
            break
        parts.append(part)
    return {MISSING: ", ".join(parts)} if parts else {}


def read_missing(text: str) -> list[tuple[str, str]]:
    """Name and code of each missing cloud; ("...", "more=812") stands for those that had no room."""
    pairs = [part.strip().partition(";") for part in text.split(",") if part.strip()]
    return [(cloud, told.removeprefix("code=")) for cloud, _, told in pairs]


def write_items(names: Sequence[str], owners: Sequence[int]) -> dict[str, str]:
    """The header that names the cloud of each item; no header if it would be too long.

    Args:
        names: clouds.
        owners: the index of a name, of each item.
    """
    changes = map(ne, owners, islice(owners, 1, None))
    if next(islice(filter(None, changes), LONGEST // 2, None), False):  # an index and a space of each run
        return {}
    kept = list(runs(owners))
    used = sorted({index for index, _ in kept})
    short = {index: number for number, index in enumerate(used)}
    told = " ".join(f"{short[index]}*{count}" if count > 1 else str(short[index]) for index, count in kept)
    text = f"{' '.join(names[index] for index in used)};{told}"
    return {ITEMS: text} if len(text) <= LONGEST else {}


def read_items(text: str) -> list[str]:
    """The cloud of each item, in the order of the answer.

    Raises:
        ValueError: the header is malformed.
    """
    names, _, runs = text.partition(";")
    clouds = names.split()
    items: list[str] = []
    for run in runs.split():
        index, _, count = run.partition("*")
        if not index.isdigit() or int(index) >= len(clouds) or (count and not count.isdigit()):
            raise ValueError(f"expected indexes of clouds at {ITEMS}")
        if len(items) + int(count or 1) > _MOST:
            raise ValueError(f"expected {_MOST} items at most at {ITEMS}")
        items += [clouds[int(index)]] * int(count or 1)
    return items


def write_members(replica: str, members: Mapping[str, str]) -> dict[str, str]:
    """The headers that name a replica and its members; without the members if they would be too long.

    Args:
        replica: its id.
        members: cloud -> id of the resource there.
    """
    text = ", ".join(f"{cloud};id={quote(resource_id, safe='')}" for cloud, resource_id in members.items())
    return {REPLICA: replica} | ({REPLICAS: text} if len(text) <= LONGEST else {})


def read_members(text: str) -> dict[str, str]:
    """The members that a header names: cloud -> id of the resource there."""
    pairs = [part.strip().partition(";id=") for part in text.split(",") if part.strip()]
    return {cloud: unquote(resource_id) for cloud, _, resource_id in pairs}
