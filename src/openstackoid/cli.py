"""The program `openstackoid`: a gateway for a cloud, agreements with other clouds, one API for many clouds, and clouds to try it on."""

import os
import sys
from collections.abc import Sequence

from openstackoid.commands.listing import COMMANDS
from openstackoid.commands.program import Program
from openstackoid.core.errors import OpenStackoidError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for what failed, 2 for what was asked wrongly."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        code = Program(__doc__).run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has read enough. Nothing may be written at the interpreter's end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OpenStackoidError as error:
        print(f"openstackoid: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        extra = next((command.extra for command in COMMANDS if argv[0] == command.name.partition(" ")[0]), "gateway")
        print(
            f"openstackoid: {error.name} is not installed: pip install 'openstackoid[{extra}]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
    return code
