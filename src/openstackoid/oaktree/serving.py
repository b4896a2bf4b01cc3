"""`openstackoid oaktree serve`: the configuration, with what the command line says instead."""

import argparse
import re
from pathlib import Path
from typing import Any

import pydantic

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree import server
from openstackoid.oaktree.config import Config, load


def serve(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; returns the exit code.

    Raises:
        ConfigError: the configuration, or an option, is wrong.
    """
    return server.run(configured(arguments), again=_again(arguments), worker=arguments.worker)


def _again(arguments: argparse.Namespace) -> list[str]:
    """The same command for each of several workers."""
    command = ["oaktree", "serve", "--worker"]
    for each in arguments.listen or ():
        command += ["--listen", each]
    for each in arguments.peers_of or ():
        command += ["--peers-of", each]
    # How many there are counts for each of them, too: limits are for all together.
    for name in ("config", "clouds", "workers"):
        if value := getattr(arguments, name):
            command += [f"--{name}", str(value)]
    return command


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration of a file, or the default, with the options over it.

    Raises:
        ConfigError: the configuration, or an option, is wrong.
    """
    config = load(arguments.config)
    given: dict[str, Any] = {}
    if arguments.workers:
        given["workers"] = arguments.workers
    if arguments.listen:
        given["listen"] = arguments.listen
    if arguments.peers_of:
        given["peers"] = {**config.peers.model_dump(exclude_unset=True), "of": arguments.peers_of}
    if arguments.clouds:
        # Here, where the mistake was made: openstacksdk takes a file that is not there for one without clouds.
        if not arguments.clouds.is_file():
            raise ConfigError(f"--clouds: there is no file {arguments.clouds}")
        given["clouds"] = arguments.clouds.absolute()
    if not given:
        return config
    try:
        return Config.model_validate({**config.model_dump(exclude_unset=True), **given}, context=Path.cwd())
    except pydantic.ValidationError as error:
        wrong = error.errors()[0]
        message = re.sub(r"^Value error, ", "", wrong["msg"])
        raise ConfigError(f"{'.'.join(map(str, wrong['loc'])) or 'options'}: {message}") from error
