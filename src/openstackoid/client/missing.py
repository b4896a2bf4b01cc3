"""Clouds that are left out of a command's answer, or that a change has not reached: named on standard error, and by the exit code.

Standard commands get this by cliff's hooks, as the Cloud column (`columns`). A command that shows something, changes it or deletes it is as
complete or incomplete as a list: its answers name the clouds in the same header (`core.partial`).
"""

from typing import TYPE_CHECKING, Any, Final

from cliff.hooks import CommandHook

from openstackoid.client import settings
from openstackoid.core.partial import MISSING, read_missing

if TYPE_CHECKING:
    import argparse

    import requests

PARTIAL: Final = 3  # exit code of a command whose answer, or whose change, is without some of the clouds
_READS: Final = frozenset({"GET", "HEAD"})
_LOGIN: Final = "/auth/tokens"


class Missed:
    """The clouds that the answers to a command name."""

    def __init__(self) -> None:
        self._of_reads: dict[str, str] = {}
        self._of_changes: dict[str, str] = {}
        self._changes = False

    def saw(self, response: "requests.Response", *_: Any, **__: Any) -> None:
        """Read an answer: a hook of requests."""
        missed = read_missing(response.headers.get(MISSING, ""))
        if response.request.method in _READS:
            self._of_reads.update(missed)
        elif _LOGIN not in str(response.request.url):
            self._changes = True
            self._of_changes.update(missed)

    def lines(self) -> list[str]:
        """What is said of them. Of a command that changes something, only what the change has not reached: it may look things up before."""
        if self._changes:
            return [_line(cloud, code, "without this change") for cloud, code in self._of_changes.items()]
        return [_line(cloud, code, "missing") for cloud, code in self._of_reads.items()]


class MissingClouds(CommandHook):
    """The hook, for one run of a command."""

    def __init__(self, command: Any) -> None:
        super().__init__(command)
        self._command: Any = command
        self._missed: Missed | None = None

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
            self._missed = self._reader()
            session.session.hooks["response"].append(self._missed.saw)
        return parsed_args

    def after(self, parsed_args: "argparse.Namespace", return_code: Any) -> Any:  # noqa: ARG002 - cliff's names
        """Name the clouds that are missed, and have the command end with their exit code."""
        if self._missed is None or not self._tell(self._missed.lines()):
            return return_code
        return return_code if isinstance(return_code, tuple) or return_code else PARTIAL

    def _reader(self) -> Missed:
        return Missed()

    def _tell(self, lines: list[str]) -> bool:
        app, produce = self._command.app, getattr(self._command, "produce_output", None)
        for line in lines:
            print(line, file=app.stderr)
        if not lines or produce is None:
            return bool(lines)

        def produce_and_end(*arguments: Any, **named: Any) -> None:
            produce(*arguments, **named)
            if not app.interactive_mode:
                raise SystemExit(PARTIAL)

        # The only way to another exit code: run() of a command that shows something always returns 0 (cliff/display.py).
        self._command.produce_output = produce_and_end
        return True


class CreateInEach(MissingClouds):
    """The hook of commands that create: what they name, an image or a network, is that of each cloud, if each has one of that name.

    Commands that change or delete get no such header: a name would reach one cloud's thing alone.
    """

    def before(self, parsed_args: "argparse.Namespace") -> "argparse.Namespace":
        """Also ask for things of the same name, unless the user asks for ids."""
        parsed_args = super().before(parsed_args)
        manager = self._command.app.client_manager
        if self._missed is not None and manager.get_configuration().get(settings.MATCH_KEY) != "id":
            manager.session.additional_headers[settings.MATCH] = "name"
        return parsed_args


def _line(cloud: str, code: str, what: str) -> str:
    if cloud == "...":
        return f"{code.removeprefix('more=')} more clouds are {what}"
    return f"{cloud} is {what}: {code}"
