"""From the words to an rpc and back: the connection, and what is said and returned when something goes wrong."""

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
    """Do it; returns the exit code: see `errors`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal has no characters for is shown in another way, rather than not at all.
            stream.reconfigure(errors="backslashreplace")
    # gRPC's core writes about its own threads into the terminal, at an end that comes in the middle of an answer.
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
    """A line on standard error."""
    print(f"openstackoid: {printable(text)}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """A line on standard error that is no error."""
    print(printable(text), file=sys.stderr, flush=True)


def conclude(summary: Summary | None, none: str) -> int:
    """Say which clouds did not answer, and why; returns the exit code.

    Args:
        summary: of the call; None if it never came.
        none: what to say if no cloud was asked.
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
    """Names for one line: all of a few, the number of many."""
    names = sorted(set(found))
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} cloud-regions"  # noqa: PLR2004 - what reads well
