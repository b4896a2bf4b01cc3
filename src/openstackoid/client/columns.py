"""The Cloud column of list commands.

cliff, under the stock client, calls hooks of a command that stand in the entry point group `openstack.cli.COMMAND` (cliff/hooks.py,
cliff/command.py `_load_hooks`); `after` of a command that lists gets and gives columns and rows (cliff/display.py). So `-c Cloud`,
`--sort-column Cloud` and `-f json` work as for any other column. Under a scope without operators nothing is changed.

Bodies of lists do not name clouds: a header names the cloud of each item (`core.partial`).
"""

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from openstackoid.client.missing import Missed, MissingClouds
from openstackoid.core.partial import CLOUD, ITEMS, read_items

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    import requests

COLUMN: Final = "Cloud"
_IDS: Final = ("id", "uuid", "name")
_COLUMNS: Final = ("ID", "Id", "UUID", "Name", "Key Pair Name")


class Answers(Missed):
    """The clouds named in the answers to a command."""

    def __init__(self) -> None:
        super().__init__()
        self._items: defaultdict[str, deque[str]] = defaultdict(deque)
        self._one: str | None = None

    def saw(self, response: "requests.Response", *_: Any, **__: Any) -> None:
        """Read an answer: a hook of requests."""
        super().saw(response)
        self._one = response.headers.get(CLOUD, self._one)
        text = response.headers.get(ITEMS)
        if text is None:
            return
        try:
            clouds, document = read_items(text), response.json()
        except ValueError:
            return
        lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
        for item, cloud in zip(next((items for items in lists if len(items) == len(clouds)), []), clouds, strict=False):
            for name in _names(item):
                self._items[name].append(cloud)

    def clouds(self, columns: "Sequence[str]", rows: "Sequence[Sequence[Any]]") -> list[str]:
        """The cloud of each row, by its id or name; "" if it is unknown."""
        places = [columns.index(column) for column in _COLUMNS if column in columns]
        return [self._cloud([row[place] for place in places]) for row in rows]

    def _cloud(self, names: "Iterable[Any]") -> str:
        for name in names:
            # Several clouds may have the same id: their rows stand in the order of the items.
            cloud = self._items.get(str(name))
            if cloud:
                return cloud.popleft()
        return self._one or "" if not self._items else ""


class CloudColumn(MissingClouds):
    """The hook, for one run of a list command."""

    def after(self, parsed_args: "argparse.Namespace", return_code: Any) -> Any:
        """Add the column; name the clouds that are missed, and have the command end with their exit code."""
        answers = self._missed
        if not isinstance(answers, Answers):
            return return_code
        columns, data = return_code
        rows = [tuple(row) for row in data]  # only now all requests are sent
        super().after(parsed_args, (columns, rows))
        clouds = answers.clouds(columns, rows)
        return (*columns, COLUMN), [(*row, cloud) for row, cloud in zip(rows, clouds, strict=True)]

    def _reader(self) -> "Answers":
        return Answers()


def _names(item: Any) -> list[str]:
    """What a row may show of an item: its id, or its name if it has none."""
    inner = item.get("keypair", item) if isinstance(item, dict) else {}
    ids = [str(inner[name]) for name in _IDS if isinstance(inner, dict) and name in inner]
    return ids[:1]
