"""The Cloud column of list commands, and their warnings about missing clouds.

cliff, under the stock client, calls hooks of a command that stand in the entry point group `openstack.cli.COMMAND` (cliff/hooks.py,
cliff/command.py `_load_hooks`); `after` of a command that lists gets and gives columns and rows (cliff/display.py). So `-c Cloud`,
`--sort-column Cloud` and `-f json` work as for any other column. Under a scope without operators nothing is changed.

Bodies of lists do not name clouds: a header names the cloud of each item (`core.partial`).
"""

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

from cliff.hooks import CommandHook

from openstackoid.client import settings
from openstackoid.core.partial import CLOUD, ITEMS, MISSING, read_items, read_missing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    import requests

PARTIAL: Final = 3  # exit code of a command whose answer is without some of the clouds
COLUMN: Final = "Cloud"
_IDS: Final = ("id", "uuid", "name")
_COLUMNS: Final = ("ID", "Id", "UUID", "Name", "Key Pair Name")


class Answers:
    """The clouds named in the answers to a command."""

    def __init__(self) -> None:
        self._items: defaultdict[str, deque[str]] = defaultdict(deque)
        self._one: str | None = None
        self.missed: dict[str, str] = {}

    def saw(self, response: "requests.Response", *_: Any, **__: Any) -> None:
        """Read an answer: a hook of requests."""
        self.missed.update(read_missing(response.headers.get(MISSING, "")))
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


class CloudColumn(CommandHook):
    """The hook, for one run of a command."""

    def __init__(self, command: Any) -> None:
        super().__init__(command)
        self._command: Any = command
        self._answers: Answers | None = None

    def get_parser(self, parser: "argparse.ArgumentParser") -> "argparse.ArgumentParser":
        """The options stay as they are."""
        return parser

    def get_epilog(self) -> str:
        """The help stays as it is."""
        return ""

    def before(self, parsed_args: "argparse.Namespace") -> "argparse.Namespace":
        """Install the hook for answers, if the scope means several clouds."""
        manager = self._command.app.client_manager
        session = getattr(manager, "session", None)
        if session is not None and settings.read_configured(manager.get_configuration()).has_operators:
            self._answers = Answers()
            session.session.hooks["response"].append(self._answers.saw)
        return parsed_args

    def after(self, parsed_args: "argparse.Namespace", return_code: Any) -> Any:  # noqa: ARG002 - cliff's names
        """Add the column; name the clouds that are missed, and have the command end with their exit code."""
        answers = self._answers
        if answers is None:
            return return_code
        columns, data = return_code
        rows = [tuple(row) for row in data]
        clouds = answers.clouds(columns, rows)
        if answers.missed:
            self._tell(answers.missed)
        return (*columns, COLUMN), [(*row, cloud) for row, cloud in zip(rows, clouds, strict=True)]

    def _tell(self, missed: dict[str, str]) -> None:
        app, produce = self._command.app, self._command.produce_output
        for cloud, code in missed.items():
            what = f"{code.removeprefix('more=')} more clouds are" if cloud == "..." else f"{cloud} is"
            why = "" if cloud == "..." else f": {code}"
            print(f"{what} missing{why}", file=app.stderr)

        def produce_and_end(*arguments: Any, **named: Any) -> None:
            produce(*arguments, **named)
            if not app.interactive_mode:
                raise SystemExit(PARTIAL)

        # The only way to another exit code: a list command's run() always returns 0 (cliff/display.py).
        self._command.produce_output = produce_and_end


def _names(item: Any) -> list[str]:
    """What a row may show of an item: its id, or its name if it has none."""
    inner = item.get("keypair", item) if isinstance(item, dict) else {}
    ids = [str(inner[name]) for name in _IDS if isinstance(inner, dict) and name in inner]
    return ids[:1]
