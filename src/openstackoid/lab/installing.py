"""uv, with the package index that pip is configured for: uv reads nothing of pip's configuration.

Users of a mirror, or of a private certificate authority, have usually configured pip, by `pip.conf` or `PIP_*`. Settings of uv itself are kept.

Without the package, too: `python -P installing.py ARGUMENT...` runs uv so.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

# pip's option -> uv's variable (https://docs.astral.sh/uv/reference/environment/).
_VARIABLES: Final[Mapping[str, str]] = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
# Options with several values, which pip separates by spaces or lines -> uv's separator.
_LISTS: Final[Mapping[str, str]] = {"extra-index-url": " ", "find-links": ",", "trusted-host": " "}
# Older names that uv knows as well.
_OLDER: Final[Mapping[str, str]] = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Give an environment for uv: the given one, with the settings of pip."""
    variables = dict(given)
    for option, value in options(given).items():
        variable = _VARIABLES.get(option)
        if variable and value and not given.get(variable) and not given.get(_OLDER.get(variable, "")):
            variables[variable] = _LISTS[option].join(value.split()) if option in _LISTS else value
    if variables.get("UV_INDEX"):
        # pip takes the best version of all indexes; uv would take one of the first that has any.
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    # pip's requests takes this one; without any, the system's authorities (pip from 24.2 on), which are not all among uv's own.
    if bundle := variables.get("SSL_CERT_FILE") or variables.get("REQUESTS_CA_BUNDLE"):
        variables["SSL_CERT_FILE"] = bundle
    else:
        variables.setdefault("UV_SYSTEM_CERTS", "true")
    return variables


def options(given: Mapping[str, str]) -> dict[str, str]:
    """Read pip's configuration: its files, for all commands and for `install`, then variables."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    listed = subprocess.run(command, env=dict(given), capture_output=True, text=True, check=False)
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    # NAME.OPTION='VALUE', and nothing where there is no pip.
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in sections:
            sections[section][option] = str(ast.literal_eval(value))
    variables = {name[4:].lower().replace("_", "-"): value for name, value in given.items() if name.startswith("PIP_")}
    return sections["global"] | sections["install"] | sections[":env:"] | variables


def run(*arguments: str, given: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run uv, which is installed where this runs."""
    from uv import find_uv_bin  # noqa: PLC0415  # only the very first `up` needs it

    env = environment(os.environ if given is None else given)
    return subprocess.run([find_uv_bin(), *arguments], capture_output=True, text=True, check=False, env=env)


if __name__ == "__main__":
    done = run(*sys.argv[1:])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)
