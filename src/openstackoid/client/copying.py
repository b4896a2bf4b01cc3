"""`openstack image copy`: the gateway copies an image to other clouds; the client asks how far it is.

The data does not pass the client, and a copy goes on without it: a client that was ended, or whose connection broke off, runs the same command again.
"""

import time
from typing import TYPE_CHECKING, Any, Final

from osc_lib.command import command

from openstackoid.client.replicas import ask
from openstackoid.core.protocol import COPIES_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_POLL: Final = 1.0
_FIRST: Final = 0.2  # seconds until the second question
_STEP: Final = 10  # percent between two lines where standard error is no terminal
_WAITS: Final = ("sent", "created", "unknown")
_MIB: Final = 1 << 20


class CopyImage(command.Lister):
    """Copy an image from one cloud to others; a cloud that has a copy with the same checksum is left alone."""

    _failed = False

    def get_parser(self, prog_name: str) -> "argparse.ArgumentParser":
        """What, and where to."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="ID or name of the image")
        parser.add_argument(
            "--to",
            metavar="<cloud>[,<cloud>...]",
            required=True,
            action="append",
            help="Clouds that get a copy; may be given several times",
        )
        parser.add_argument(
            "--from",
            dest="source",
            metavar="<cloud>",
            help="Cloud that has the image (default: the scope's cloud for images, else the entry cloud)",
        )
        return parser

    def take_action(self, parsed_args: "argparse.Namespace") -> tuple[tuple[str, ...], "Iterable[tuple[Any, ...]]"]:
        """One row a cloud."""
        clouds = [name.strip() for text in parsed_args.to for name in text.split(",") if name.strip()]
        manager: Any = self.app.client_manager
        source = parsed_args.source or manager.scope.scope.only("image")
        wish = {"image": parsed_args.image, "to": clouds} | ({"from": source} if source else {})
        copy = ask(self, "POST", COPIES_PATH, wish)["copy"]
        image, pause = copy["image"], _FIRST
        for name, why in sorted(copy.get("left", {}).items()):
            print(f"{name} is not copied: {why}", file=self.app.stderr)
        progress = _Progress(self.app.stderr, image)
        progress.show(copy["clouds"])
        while not copy["done"] and not _stands(copy["clouds"]):
            time.sleep(pause)
            pause = _POLL
            copy = ask(self, "GET", f"{COPIES_PATH}?id={copy['id']}")["copy"]
            progress.show(copy["clouds"])
        progress.end()
        self._failed = any(one["state"] not in {"copied", "there"} for one in copy["clouds"])
        for one in copy["clouds"]:
            if one["message"] and one["state"] not in {"copied", "there"}:
                print(f"{one['cloud']}: {one['message']}", file=self.app.stderr)
        if not copy["done"]:
            print(
                "The gateway tries again, and ends or deletes what is not complete: run the same command later.",
                file=self.app.stderr,
            )
        rows = [(one["cloud"], one["id"] or "", _result(one), one["error"] or "") for one in copy["clouds"]]
        return ("Cloud", "ID", "Result", "Error"), rows

    def run(self, parsed_args: "argparse.Namespace") -> int:
        """Run; 1 if a cloud has no copy."""
        code: int = super().run(parsed_args)
        return code or int(self._failed)


class _Progress:
    """How much has been sent: one line that changes on a terminal, else a line now and then."""

    def __init__(self, stream: Any, image: dict[str, Any]) -> None:
        self._stream = stream
        self._name = str(image.get("name") or image["id"])
        self._size = max(1, int(image["size"]))
        self._shown = -1
        self._tty = bool(getattr(stream, "isatty", bool)())

    def show(self, clouds: list[dict[str, Any]]) -> None:
        """Show what is sent of what is being sent."""
        sending = [one for one in clouds if one["state"] in _WAITS]
        if not sending:
            return
        percent = min(100, min(int(one["bytes"]) for one in sending) * 100 // self._size)
        if percent == self._shown or (not self._tty and percent < self._shown + _STEP):
            return
        self._shown = percent
        names = ", ".join(one["cloud"] for one in sending)
        line = f"{self._name} to {names}: {percent}% of {self._size / _MIB:.1f} MiB"
        print(f"\r{line}" if self._tty else line, end="" if self._tty else "\n", file=self._stream, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._tty and self._shown >= 0:
            print(file=self._stream)


def _stands(clouds: list[dict[str, Any]]) -> bool:
    """Whether nothing goes on now: what is left waits for a cloud that failed."""
    left = [one for one in clouds if one["state"] in {*_WAITS, "accepted"}]
    return bool(left) and all(one["state"] in _WAITS and one["error"] for one in left)


def _result(one: dict[str, Any]) -> str:
    names = {"copied": "copied", "there": "is there", "failed": "failed"}
    return names.get(str(one["state"]), "not complete")
