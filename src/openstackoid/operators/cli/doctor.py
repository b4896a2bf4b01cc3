"""`openstackoid doctor`: what is wrong, and what to do."""

import argparse
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from openstackoid.commands.base import ListCommand, WithConfig


class Diagnose(WithConfig, ListCommand):
    """Check a gateway and everything that it depends on."""

    summary = "check a gateway and what it depends on, and say what to do"
    examples = """\
Makes the check of "openstackoid gateway check", then connects: Keystone and its clock, the rights of the gateway's accounts, where the
catalog leads, certificates, keys, the database, the gateway at each of its addresses, peers in both directions, HAProxy's
configuration. It changes nothing, and prints no secret. Run it on the gateway's machine, as root or the gateway's user.

  openstackoid doctor                                 a line a check; exit code 1 if one failed
  openstackoid doctor -f json                         the same for a program
"""
    columns = ("Check", "Result", "Found", "Remedy")
    nothing = "nothing"

    def documents(self, parsed_args: argparse.Namespace) -> list[Any]:
        """All findings."""
        examination = importlib.import_module("openstackoid.operators.doctor.examination")
        self._findings = [asdict(finding) for finding in examination.examine(parsed_args.config)]
        return self._findings

    def row(self, document: Mapping[str, Any]) -> Iterable[object]:
        """One of them."""
        return [document[key] for key in ("check", "result", "detail", "remedy")]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print them; the exit code says whether a check failed."""
        code = super().run(parsed_args)
        return code or int(any(finding["result"] == "failed" for finding in self._findings))
