"""`openstackoid oaktree serve`: the configuration, overridden by the options of the command line."""

import argparse
import re
from pathlib import Path
from typing import Any

import pydantic

from openstackoid import logs
from openstackoid.core.errors import ConfigError
from openstackoid.oaktree import server
from openstackoid.oaktree.config import Config, load


def serve(arguments: argparse.Namespace) -> int:
    """Serve until a stop signal. Returns the exit code.

    Raises:
        ConfigError: the configuration, or an option, is wrong.
    """
    logs.configure()
    return server.run(configured(arguments))


def configured(arguments: argparse.Namespace) -> Config:
    """The configuration of a file, or the default, overridden by the options.

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
        # Report the error here: openstacksdk treats a missing file as one without clouds.
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
