"""The address of the oaktree, and the credentials for it."""

import argparse
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from oaktree.address import check_owner, default_address
from oaktree.client import Certificate, Oaktree, Token, connect
from openstackoid.oaktree.call.arguments import WrongError

_LARGEST: Final = 64 * 1024 * 1024  # bytes of an answer
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST),
    # Keepalive: a server whose machine has failed is detected within a minute, however long the call may take.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


def target(args: argparse.Namespace) -> str:
    """The address."""
    return str(args.target or os.environ.get("OAKTREE_TARGET") or default_address())


def opened(args: argparse.Namespace) -> Oaktree:
    """Open a connection with the options of the command line.

    Raises:
        WrongError: credentials cannot be obtained or used, or the socket belongs to another user.
    """
    address = target(args)
    if bool(args.cert) != bool(args.key):
        raise WrongError("expected both --cert and --key, or neither")
    certificate = Certificate(args.cert, args.key) if args.cert else None
    # Ignore HTTP proxies of the environment.
    options = (*_OPTIONS, ("grpc.enable_http_proxy", 0)) if args.plaintext else _OPTIONS
    try:
        if address == default_address():
            check_owner(address)
        return connect(
            address,
            credentials=_tokens(args.as_ or ()),
            certificate=certificate,
            authority=args.ca,
            plain=args.plaintext,
            options=options,
        )
    except ValueError as error:
        raise WrongError(str(error)) from error
    except OSError as error:
        raise WrongError(f"{error.filename}: {error.strerror}") from error


def _tokens(entries: Iterable[str]) -> list[Token]:
    """Get a new token from each cloud's own Keystone, in parallel."""
    pairs = [(cloud, entry or cloud) for cloud, _, entry in (mapping.partition("=") for mapping in entries)]
    if not pairs:
        return []
    with ThreadPoolExecutor(len(pairs)) as threads:
        return list(threads.map(lambda pair: Token(pair[0], _token(pair[1])), pairs))


def _token(entry: str) -> str:
    # Imported here, since most calls do not need it.
    import keystoneauth1.exceptions  # noqa: PLC0415
    import openstack.config  # noqa: PLC0415
    import openstack.exceptions  # noqa: PLC0415

    try:
        region: Any = openstack.config.OpenStackConfig().get_one(entry)
        return str(region.get_session().get_token())
    except (keystoneauth1.exceptions.ClientException, openstack.exceptions.SDKException) as error:
        raise WrongError(f"--as {entry}: no token of this entry in your clouds.yaml: {error}") from error
