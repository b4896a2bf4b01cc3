"""What services write to standard error: one record each, with time and level, as text or as JSON.

    2030-01-01T00:00:00.000Z INFO CloudOne: serving at 10.0.0.2:9292
    {"time": "2030-01-01T00:00:00.000Z", "level": "INFO", "logger": "openstackoid.gateway.serve", "message": "CloudOne: serving at ..."}

The variable `OPENSTACKOID_LOG_FORMAT` chooses: `text` (the default) or `json`. Records of libraries, such as asyncio, look the same.
"""

import json
import logging
import os
import time
from typing import Final

from openstackoid.core.errors import ConfigError

VARIABLE: Final = "OPENSTACKOID_LOG_FORMAT"
_TIME: Final = "%Y-%m-%dT%H:%M:%S"


class _Text(logging.Formatter):
    """Time in UTC, level, message."""

    converter = time.gmtime  # type: ignore[assignment] # typeshed has a narrower type than the documentation

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", _TIME)


class _Json(_Text):
    """One object a line, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        document = {
            "time": f"{self.formatTime(record, _TIME)}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document)


_FORMATS: Final[dict[str, type[logging.Formatter]]] = {"text": _Text, "json": _Json}


def configure() -> None:
    """Write the records of this process to standard error, in the form that the environment asks for.

    Raises:
        ConfigError: a form that does not exist.
    """
    name = os.environ.get(VARIABLE) or "text"
    if name not in _FORMATS:
        raise ConfigError(f"{VARIABLE}: expected {' or '.join(_FORMATS)}, got {name!r}")
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATS[name]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # of libraries
    logging.getLogger("openstackoid").setLevel(logging.INFO)
