"""Reads the configuration from its file; errors name the key and the value."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from openstackoid.core.errors import ConfigError
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import FOLDER


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming the file, the key and the value of each thing that is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected keys such as cloud and services, got {type(document).__name__}")
    try:
        return Config.model_validate(document, context={FOLDER: path.parent})
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {_described(detail)}" for detail in error.errors())) from None


def _described(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    value = detail["input"]
    came = "" if isinstance(value, (dict, list)) or detail["type"] == "missing" else f" (got {value!r})"
    return f"{key}: {message}{came}" if key else message
