"""`openstackoid key`: this cloud's keys. Nothing secret of them is ever printed."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from openstackoid.core.errors import ConfigError
from openstackoid.operators import registry
from openstackoid.output import when
from openstackoid.trust import key_files


def new(arguments: argparse.Namespace) -> int:
    """Make the first keys. The configuration cannot be whole before they are there, so only trust.keys of it is read."""
    path = arguments.file or _path(arguments.config)
    made = key_files.create(path)
    print(f"{path}: new keys, for the user who runs the gateway alone to read (mode 600).")
    _tell(made.fingerprint)
    return 0


def public(config: Path) -> dict[str, Any]:
    """The fingerprint, and all keys without their secrets: `{"fingerprint": ..., "keys": [...]}`.

    Raises:
        ConfigError: the configuration is wrong, or has no trust section.
        KeysError: the keys cannot be read.
    """
    _, trust = registry.trusted(config)
    read = key_files.load(trust.keys, trust.keys_env, trust.keys_command)
    return {"fingerprint": read.fingerprint, "keys": read.listed()}


def rotate(arguments: argparse.Namespace) -> int:
    """Make new keys."""
    path = arguments.file or _path(arguments.config)
    made = key_files.rotate(path, compromised=arguments.compromised)
    if arguments.compromised:
        print(f"{path}: new keys; what the old ones signed counts no more. Gateways take them within a second.")
        _tell(made.fingerprint)
        print(
            "Each peer's operator must now: openstackoid peer trust NAME --fingerprint FP. Until then nothing passes."
        )
        return 0
    coming = [key for key in made.listed() if key["use"] == "sign" and key["state"] == "next"]
    for key in coming:
        print(f"{path}: the key {key['kid']} is published now and signs from {when(key['from'])}.")
    print("Peers follow by themselves: it is endorsed by the key before it.")
    return 0


def _tell(fingerprint: str) -> None:
    print(f"Read this fingerprint out to your peers' operators, by telephone for instance:\n\n  {fingerprint}\n")


def _path(config: Path) -> Path:
    """The file of trust.keys, which need not be there yet."""
    try:
        document: Any = yaml.safe_load(config.read_text())
    except OSError as error:
        raise ConfigError(f"{config}: {error.strerror}; or say --file FILE") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config}: not YAML: {' '.join(str(error).split())}") from None
    trust = document.get("trust") if isinstance(document, dict) else None
    path = trust.get("keys") if isinstance(trust, dict) else None
    if not isinstance(path, str):
        raise ConfigError(
            f"{config}: expected a file at trust.keys. Keys in a variable or from a command: make them with --file FILE, "
            "and put what is in that file there."
        )
    return config.parent / path
