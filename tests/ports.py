"""Ports for servers that are told where to listen: nobody else takes one between its choice and its use.

Parts of the tests run side by side, and other runs of them may on the same machine. So each process takes a range of ports
for itself, with a socket that says so as long as it lives; the ranges are below those that the kernel gives to outgoing
connections (32768 and up, `net.ipv4.ip_local_port_range`).
"""

import contextlib
import functools
import itertools
import socket
from collections.abc import Iterator

_FIRST, _LAST, _SIZE = 12_000, 32_000, 1_000

# Held until the process ends.
_claims: list[socket.socket] = []


def free_ports(count: int, *hosts: str) -> list[int]:
    """Different ports where nobody listens at these addresses of the loopback (the first one, if none is named)."""
    found: list[int] = []
    for port in itertools.islice(_candidates(), _SIZE):
        if len(found) == count:
            break
        if _is_free(port, hosts or ("127.0.0.1",)):
            found.append(port)
    assert len(found) == count, f"no {count} free ports in this process' range"
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


@functools.cache
def _candidates() -> Iterator[int]:
    """This process' range, round and round: a port comes again when all others have been given."""
    for first in range(_FIRST, _LAST, _SIZE):
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name (unix(7)): it is gone with the process, however that ends.
            claim.bind(f"\0openstackoid-tests-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return itertools.cycle(range(first, first + _SIZE))
    raise AssertionError(f"expected fewer than {(_LAST - _FIRST) // _SIZE} runs of tests at once")


def _is_free(port: int, hosts: tuple[str, ...]) -> bool:
    with contextlib.ExitStack() as stack:
        try:
            for host in hosts:
                stack.enter_context(socket.create_server((host, port)))
        except OSError:
            return False
    return True
