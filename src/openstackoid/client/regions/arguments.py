"""What several commands read from their arguments, and how they show documents."""

import argparse
import json
from pathlib import Path
from typing import Any

from osc_lib.cli.format_columns import DictColumn, ListColumn
from osc_lib.exceptions import CommandError


def number(text: str) -> tuple[str, int]:
    """`cores=20`.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    name, equals, value = text.partition("=")
    if not equals or not value.isdigit():
        raise argparse.ArgumentTypeError(f"expected name=number such as cores=20, got {text!r}")
    return name, int(value)


def document(path: Path) -> dict[str, Any]:
    """A YAML or JSON file with an object.

    Raises:
        CommandError: it cannot be read.
    """
    import yaml  # noqa: PLC0415 - for some commands only

    try:
        parsed = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise CommandError(f"{path}: not YAML: {getattr(error, 'problem', None) or 'malformed'}") from None
    if not isinstance(parsed, dict):
        raise CommandError(f"{path}: expected an object of names and values")
    # Times without quotes are dates to YAML.
    dated: dict[str, Any] = json.loads(json.dumps(parsed, default=_text))
    return dated


def shown(resource: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """A document as fields and values, in its order."""
    return tuple(resource), tuple(_column(value) for value in resource.values())


def _column(value: Any) -> Any:
    if isinstance(value, dict):
        return DictColumn(value)
    if isinstance(value, list):
        return ListColumn(value)
    return value


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else str(value)
