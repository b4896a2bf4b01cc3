"""The `clouds.yaml`, and what stands beside it, read as a server should: one file, its secrets, and nothing of whoever started the server."""

import os
from pathlib import Path
from typing import Any, Final

import yaml
from openstack.config import OpenStackConfig, loader

from openstackoid.core.errors import ConfigError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUFFIXES: Final = (".yaml", ".yml", ".json")


class _Config(OpenStackConfig):
    """openstacksdk's, but an entry that is no mapping is not merged with a secret: that would end the reading of all."""

    _read: Any = None

    def _load_config_file(self) -> Any:
        self._read = super()._load_config_file()
        return self._read

    def _load_secure_file(self) -> Any:
        name, secrets = super()._load_secure_file()
        clouds = ((self._read or (None, None))[1] or {}).get("clouds")
        if isinstance(secrets, dict) and isinstance(secrets.get("clouds"), dict) and isinstance(clouds, dict):
            kept = {key: each for key, each in secrets["clouds"].items() if _merges(clouds.get(key, {}), each)}
            secrets = {**secrets, "clouds": kept}
        return name, secrets


def _merges(entry: Any, secret: Any) -> bool:
    """Whether openstacksdk can put the second over the first."""
    if not isinstance(entry, dict) or not isinstance(secret, dict):
        return False
    both = entry.keys() & secret.keys()
    return all(_merges(entry[each], secret[each]) for each in both if isinstance(secret[each], dict))


def load(path: Path | None) -> OpenStackConfig:
    """The clouds of a file, with the `secure.yaml` and `clouds-public.yaml` beside it; without one, of the file that openstacksdk would take.

    Where there is no file at all, openstacksdk's environment variables are the one cloud, `envvars`. Beside a file they are none: whoever starts a
    server from a shell that has sourced an openrc does not mean to serve that cloud twice.

    Raises:
        ConfigError: a file that is no YAML, or whose clouds are no mapping.
    """
    path = path or _usual()
    clouds = _clouds(path) if path else {}
    options: dict[str, Any] = {}
    if path is not None:
        beside = path.parent
        secure = os.environ.get("OS_CLIENT_SECURE_FILE")
        options = {
            "config_files": [str(path)],
            "secure_files": [
                *([secure] if secure else []),
                *(str(beside / f"secure{each}") for each in _SUFFIXES),
                *loader.SECURE_FILES,
            ],
            "vendor_files": [*(str(beside / f"clouds-public{each}") for each in _SUFFIXES), *loader.VENDOR_FILES],
            "load_envvars": False,
        }
    try:
        found = _Config(**options)
    except Exception as error:
        raise ConfigError(f"{path or 'clouds.yaml'}: {str(error) or type(error).__name__}") from error
    if "defaults" not in clouds:
        found.cloud_config["clouds"].pop("defaults", None)  # openstacksdk's own, where there is no other
    return found


def _usual() -> Path | None:
    """The file that openstacksdk would take."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = (Path(each) for each in (*([named] if named else []), *loader.CONFIG_FILES))
    return next((each for each in files if each.exists()), None)


def _clouds(path: Path) -> dict[Any, Any]:
    """The entries of a file. openstacksdk passes over one that it cannot read, and serves another, or none."""
    try:
        document = yaml.load(path.read_text(), _LOADER)  # noqa: S506 - a safe one
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: expected YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return {}
    clouds = document.get("clouds", {}) if isinstance(document, dict) else None
    if not isinstance(clouds, dict):
        raise ConfigError(f"{path}: expected a mapping 'clouds', of names to entries")
    return clouds
