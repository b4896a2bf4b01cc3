"""Reads the audit of this cloud's gateways: which projects have sent requests under a contract. Calls block: in a coroutine, `asyncio.to_thread`."""

import json
from collections.abc import Iterable
from pathlib import Path


def projects(files: Iterable[Path], contract: str) -> set[str]:
    """The ids of this cloud's projects with requests under a contract.

    Args:
        files: of the audit; one that is not there counts as empty.
        contract: id, which lines name as their agreement.
    """
    found: set[str] = set()
    mark = f'"{contract}"'.encode()
    for file in files:
        try:
            with file.open("rb") as lines:
                for line in lines:
                    if mark not in line:
                        continue
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue  # a line that was cut when the machine stopped
                    if isinstance(entry, dict) and entry.get("agreement") == contract and entry.get("project"):
                        found.add(str(entry["project"]))
        except FileNotFoundError:
            continue
    return found
