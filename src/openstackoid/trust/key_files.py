"""Storage of a cloud's keys: one JSON file (`keys` has its form) that all its gateways read, an environment variable, or a command's output."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from openstackoid.trust.keys import Keys, KeysError, Timed, fresh_keys

_OPEN_TO_OTHERS: Final = 0o077
_BYTES: Final = 32  # of every key that is shared with nobody


def create(path: Path) -> Keys:
    """Make a cloud's first keys.

    Raises:
        KeysError: the file is there, or cannot be written.
    """
    keys = fresh_keys(int(time.time()))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(keys.dump())
    except FileExistsError:
        raise KeysError(f"{path} is there already. To change the keys in it: openstackoid key rotate.") from None
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from None
    return keys


def rotate(path: Path, *, compromised: bool = False) -> Keys:
    """Rotate the keys of a file; it is replaced as a whole.

    Raises:
        KeysError: the file cannot be read or written, or the last rotation is not over.
    """
    keys = read(path).rotated(int(time.time()), compromised=compromised)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(keys.dump())
            file.flush()
            os.fsync(file.fileno())
        owner = path.stat()
        os.chown(fresh, owner.st_uid, owner.st_gid)  # gateways run as another user than the operator who rotates
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise KeysError(f"{path}: {error.strerror}") from None
    return keys


def read(path: Path) -> Keys:
    """Read a keys file.

    Raises:
        KeysError: the file is missing, damaged, or accessible to others than its owner.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}. To make a cloud's first keys: openstackoid key new.") from None
    if mode & _OPEN_TO_OTHERS:
        raise KeysError(f"{path}: others can read it (mode {mode & 0o777:o}); expected 600: chmod 600 {path}")
    return parse(text, str(path))


def load(path: Path | None, variable: str | None = None, command: Sequence[str] | None = None) -> Keys:
    """Read keys from the source in a configuration: a file, an environment variable, or a command's output.

    Raises:
        KeysError: the keys are missing or damaged.
    """
    if path is not None:
        return read(path)
    if variable is not None:
        return parse(os.environ.get(variable, ""), f"the variable {variable}")
    if not command:
        raise KeysError("expected a file, a variable or a command that gives the keys")
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)  # noqa: S603 - the operator's
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeysError(f"the command {command[0]} for the keys failed: {type(error).__name__}") from None
    if done.returncode:
        raise KeysError(f"the command {command[0]} for the keys ended with {done.returncode}")
    return parse(done.stdout, f"what {command[0]} printed")


def parse(text: str | bytes, where: str) -> Keys:
    """Read the text of a keys file.

    Args:
        text: as `Keys.dump` writes it.
        where: source of the text, for errors.

    Raises:
        KeysError: the text is damaged; the message shows none of it.
    """
    try:
        document = json.loads(text)
        signing = tuple(_timed(OKPKey.import_key(key["key"]), key) for key in document["signing"])
        sealing = tuple(_timed(OctKey.import_key(key["key"]), key) for key in document["sealing"])
        kept = [OctKey.import_key(document[name]).raw_value for name in ("pseudonyms", "inner")]
        whole = bool(signing and sealing) and all(key.key.is_private for key in signing)
        whole = whole and all(len(secret) == _BYTES for secret in (*kept, *(key.key.raw_value for key in sealing)))
        keys = Keys(signing, sealing, kept[0], kept[1], tuple(document.get("endorsements", []))) if whole else None
    except (ValueError, KeyError, TypeError, AttributeError, JoseError, RecursionError):
        keys = None
    if keys is None:
        # The message does not quote the error: the text is secret.
        raise KeysError(f"{where}: expected keys as openstackoid key new writes them")
    return keys


def _timed(key: Any, entry: dict[str, Any]) -> Timed:
    kid = key.thumbprint() if isinstance(key, OKPKey) else entry["key"]["kid"]
    return Timed(key, kid, int(entry["from"]), None if entry["until"] is None else int(entry["until"]))
