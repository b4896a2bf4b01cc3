"""The gate that every request to a cloud-region passes: rate limit, breaker, timeouts, and no redirects to other hosts."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.rates.limiters import LONGEST_WAIT, Limiter, Unlimited

# Response headers with the cloud's request id, for its operators.
REQUEST_IDS: Final = ("x-openstack-request-id", "x-compute-request-id")
# Redirects that keystoneauth follows itself, with every header (Session._REDIRECT_STATUSES).
REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})


class Timeouts(NamedTuple):
    """Timeouts in seconds: the smaller of the configured timeout and the time to the deadline."""

    connect: float
    read: float
    hurried: bool  # the deadline is earlier than the configured timeout: a timeout is then no failure of the cloud


@dataclass(frozen=True)
class Gate:
    """The gate that every request to one cloud-region passes. Times are seconds.

    Attributes:
        cloud: its name.
        region: its region's name.
        breaker: refuses requests to addresses that fail.
        limiter: limits the requests per second.
        connect_timeout: for a connection, with TLS.
        read_timeout: maximum time without a byte from the cloud.
        longest_wait: maximum wait for a slot of the limiter; a minute at most.
        largest_answer: maximum size of a decompressed response, in bytes; responses that are streamed (images) have no limit.
        connections: number of connections kept open to each address, for as many threads.
    """

    cloud: str
    region: str
    breaker: Breaker
    limiter: Limiter = field(default_factory=Unlimited)
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    longest_wait: float = 30.0
    largest_answer: int = 64 * 1024 * 1024
    connections: int = 64

    def slot(self, call: Call) -> float:
        """Reserve a slot of the limiter. Returns the seconds to wait for it.

        Raises:
            errors.RateError: there is no slot before the deadline, or within `longest_wait`.
        """
        left = call.left()
        longest = min(self.longest_wait, LONGEST_WAIT if left is None else left)
        seconds = self.limiter.reserve(f"{self.cloud}/{self.region}", longest)
        if seconds > longest:
            raise errors.RateError(
                f"the requests per second for {self.cloud} {self.region} are used up for {seconds:.1f} s: try again later",
                retry_after=seconds,
            )
        return seconds

    def wait(self, call: Call) -> None:
        """Wait for a slot of the limiter, in a thread.

        Raises:
            errors.RateError: there is no slot before the deadline, or within `longest_wait`.
            errors.CallCancelledError: the caller cancelled; the slot is lost.
        """
        if seconds := self.slot(call):
            call.wait(seconds)

    def timeouts(self, call: Call, asked: Any, *, uploading: bool = False) -> Timeouts:
        """The timeouts of a request.

        Args:
            call: the call, with its deadline.
            asked: requests' `timeout`: seconds, a pair (to connect, to read), or None; it can only shorten the configured timeouts.
            uploading: whether the request has a body that is read from a file.

        Raises:
            errors.CallDeadlineError: the deadline has passed.
            errors.CallCancelledError: the caller cancelled.
        """
        call.check()
        connect, read = asked if isinstance(asked, tuple) else (asked, asked)
        connect = min(connect or self.connect_timeout, self.connect_timeout)
        read = min(read or self.read_timeout, self.read_timeout)
        if uploading:
            # urllib3 applies the connect timeout to writing a body; an upload of an image may have to wait for the cloud's storage.
            connect = read
        left = call.left()
        if left is None or left >= max(connect, read):
            return Timeouts(connect, read, hurried=False)
        return Timeouts(min(connect, max(left, 0.001)), min(read, max(left, 0.001)), hurried=True)


def address(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    scheme = parts.scheme.lower()
    return f"{scheme}://{(parts.hostname or '').lower()}:{port or (443 if scheme == 'https' else 80)}"


def within(seen: int, most: int | None) -> None:
    """Check the size of a response.

    Args:
        seen: bytes received.
        most: maximum number of bytes; None for no limit.

    Raises:
        errors.AnswerTooLargeError: the response is larger.
    """
    if most is not None and seen > most:
        raise errors.AnswerTooLargeError(
            f"the cloud's answer is larger than the {most} bytes that are read: ask for less, by filters or pages"
        )


def stay(url: str, status: int, location: str | None) -> None:
    """Refuse a redirect to another host: keystoneauth would follow it, with the token.

    Args:
        url: the URL of the request.
        status: the HTTP status of the response.
        location: the `Location` header of the response.

    Raises:
        errors.RedirectError: the redirect leads to another host.
    """
    if status not in REDIRECTS or location is None:
        return
    here, there = address(url), address(urljoin(url, location))
    # From port 80 to port 443 of the same host: the request was already sent in plain text, so HTTPS exposes nothing more.
    upgraded = here.startswith("http://") and here.endswith(":80") and there == f"https{here[4:-3]}:443"
    if here != there and not upgraded:
        raise errors.RedirectError(
            f"{here} redirects to {there}, where no token of it may go: give the cloud's final address in clouds.yaml, "
            "or have its catalog corrected"
        )
