"""Runs a command: opens the connection, prints errors, and returns the exit code."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterable
from typing import Final

import grpc

from oaktree.client import Oaktree
from oaktree.v1.common_pb2 import Summary
from openstackoid.oaktree.call import errors
from openstackoid.oaktree.call.arguments import WrongError
from openstackoid.oaktree.call.target import opened, target
from openstackoid.output import printable

Verb = Callable[[argparse.Namespace, Oaktree], int]
_ASKED_WRONGLY: Final = frozenset({"INVALID_ARGUMENT", "OUT_OF_RANGE"})


def run(verb: Verb, args: argparse.Namespace) -> int:
    """Run a command. Returns the exit code: see `errors`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape characters that the terminal's encoding lacks, instead of failing.
            stream.reconfigure(errors="backslashreplace")
    # If the program ends in the middle of an answer, gRPC's core writes messages about its threads to the terminal.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        with opened(args) as oaktree:
            return verb(args, oaktree)
    except WrongError as error:
        say(str(error))
        return errors.WRONG
    except grpc.RpcError as error:
        failure = errors.of_call(error, target(args))
        say(str(failure))
        return errors.WRONG if failure.code in _ASKED_WRONGLY else errors.FAILED


def say(text: str) -> None:
    """Print an error on standard error."""
    print(f"openstackoid: {printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Print a line that is no error on standard error."""
    print(printable(text), file=sys.stderr, flush=True)


def conclude(summary: Summary | None, none: str) -> int:
    """Print which clouds did not answer, with their errors. Returns the exit code.

    Args:
        summary: the summary of the call; None if it did not arrive.
        none: the message if no cloud was queried.
    """
    if summary is None:
        say("the answer ended before its summary: what is above need not be all")
        return errors.FAILED
    for result, failure in errors.failures(summary):
        say(f"{errors.place(result.location)}: {failure}")
    if not summary.results:
        say(none)
    return errors.exit_code(summary)


def places(found: Iterable[str]) -> str:
    """Names for one line: a few are listed, many are counted."""
    names = sorted(set(found))
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} cloud-regions"  # noqa: PLR2004 - what reads well
