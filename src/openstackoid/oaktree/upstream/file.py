"""Reads the `clouds.yaml` and the files beside it as a server should: one file and its secrets, nothing of the user who started it."""

import os
from pathlib import Path
from typing import Any, Final

import yaml
from keystoneauth1.loading import get_plugin_loader
from openstack.config import OpenStackConfig, loader

from openstackoid.core.errors import ConfigError

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUFFIXES: Final = (".yaml", ".yml", ".json")


class _Config(OpenStackConfig):
    """openstacksdk's class, except that an entry that is no mapping is not merged with a secret: that would abort the reading of all entries."""

    _read: Any = None

    def _load_config_file(self) -> Any:
        self._read = super()._load_config_file()
        return self._read

    def _load_secure_file(self) -> Any:
        name, secrets = super()._load_secure_file()
        clouds = ((self._read or (None, None))[1] or {}).get("clouds")
        if isinstance(secrets, dict) and isinstance(secrets.get("clouds"), dict) and isinstance(clouds, dict):
            kept = {key: cloud for key, cloud in secrets["clouds"].items() if _merges(clouds.get(key, {}), cloud)}
            secrets = {**secrets, "clouds": kept}
        return name, secrets


def _merges(entry: Any, secret: Any) -> bool:
    """Whether openstacksdk can merge the second into the first."""
    if not isinstance(entry, dict) or not isinstance(secret, dict):
        return False
    both = entry.keys() & secret.keys()
    return all(_merges(entry[key], secret[key]) for key in both if isinstance(secret[key], dict))


def load(path: Path | None) -> OpenStackConfig:
    """Read the clouds of a file, with the `secure.yaml` and `clouds-public.yaml` beside it. If none is given, read the file that openstacksdk would use.

    If there is no file at all, openstacksdk's environment variables define the only cloud, `envvars`. If there is a file, they are ignored: a user who
    starts a server from a shell with a sourced openrc does not want to serve that cloud twice.

    Raises:
        ConfigError: the file is not YAML, or its `clouds` is no mapping.
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
                *(str(beside / f"secure{suffix}") for suffix in _SUFFIXES),
                *loader.SECURE_FILES,
            ],
            "vendor_files": [*(str(beside / f"clouds-public{suffix}") for suffix in _SUFFIXES), *loader.VENDOR_FILES],
            "load_envvars": False,
        }
    try:
        loaded = _Config(**options)
    except Exception as error:
        raise ConfigError(f"{path or 'clouds.yaml'}: {str(error) or type(error).__name__}") from error
    # stevedore reads the metadata of all packages when a plugin is first looked for: now, or in each of the first threads at the same time.
    get_plugin_loader("password")
    if "defaults" not in clouds:
        loaded.cloud_config["clouds"].pop("defaults", None)  # openstacksdk adds it if there is no other cloud
    return loaded


def _usual() -> Path | None:
    """The file that openstacksdk would use."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = (Path(path) for path in (*([named] if named else []), *loader.CONFIG_FILES))
    return next((file for file in files if file.exists()), None)


def _clouds(path: Path) -> dict[Any, Any]:
    """Read the entries of a file. openstacksdk would silently skip an unreadable file, and use another file or none."""
    try:
        document = yaml.load(path.read_text(), _LOADER)  # noqa: S506 - a safe loader
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
