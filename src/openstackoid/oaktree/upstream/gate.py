"""What every request to one cloud-region passes, whoever sends it: a rate, a breaker, times, and no way to another host."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.calls import Call
from openstackoid.oaktree.upstream.limits import LONGEST_WAIT, Limiter, Unlimited

# What a cloud calls its answers, for its operators.
REQUEST_IDS: Final = ("x-openstack-request-id", "x-compute-request-id")
# keystoneauth follows these itself, with every header (Session._REDIRECT_STATUSES).
REDIRECTS: Final = frozenset({301, 302, 303, 305, 307, 308})


class Timeouts(NamedTuple):
    """Seconds, the smaller of what is configured and what the deadline leaves."""

    connect: float
    read: float
    hurried: bool  # the deadline leaves less than is configured: silence may be the caller's impatience


@dataclass(frozen=True)
class Gate:
    """What every request to one cloud-region passes. Times are seconds.

    Attributes:
        cloud: its name.
        region: its region's name.
        breaker: whether it is asked at all.
        limiter: how many requests a second.
        connect_timeout: to make a connection, with TLS.
        read_timeout: without a byte from the cloud.
        longest_wait: for a slot of the limiter; a minute at most.
        largest_answer: bytes of an answer, unpacked; those that are read as a stream (images) have no limit.
        connections: kept open to each address, for as many threads.
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
        """Seconds to wait for a slot of the limiter, which is taken.

        Raises:
            errors.RateError: there is none before the deadline, or for too long.
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
            errors.RateError: there is none before the deadline, or for too long.
            errors.CallCancelledError: the caller went; the slot is lost.
        """
        if seconds := self.slot(call):
            call.wait(seconds)

    def timeouts(self, call: Call, asked: Any, *, uploading: bool = False) -> Timeouts:
        """How long a request may take.

        Args:
            call: whose deadline counts.
            asked: as requests has it: seconds, a pair of them (to connect, to read), or None; it only shortens what is configured.
            uploading: it has a body that is read from a file.

        Raises:
            errors.CallDeadlineError: the deadline has passed.
            errors.CallCancelledError: the caller went.
        """
        call.check()
        connect, read = asked if isinstance(asked, tuple) else (asked, asked)
        connect = min(connect or self.connect_timeout, self.connect_timeout)
        read = min(read or self.read_timeout, self.read_timeout)
        if uploading:
            # urllib3 writes a body with the time for connecting; an image waits until the cloud's storage takes more.
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
    """Refuse an answer of more bytes than are read.

    Args:
        seen: bytes that have come.
        most: how many may; None for any number.

    Raises:
        errors.AnswerTooLargeError: these are more.
    """
    if most is not None and seen > most:
        raise errors.AnswerTooLargeError(
            f"the cloud's answer is larger than the {most} bytes that are read: ask for less, by filters or pages"
        )


def stay(url: str, status: int, location: str | None) -> None:
    """Refuse an answer that sends us elsewhere: keystoneauth would go, with the token.

    Args:
        url: what was asked.
        status: of the answer.
        location: its header.

    Raises:
        errors.RedirectError: it leads to another host.
    """
    if status not in REDIRECTS or location is None:
        return
    here, there = address(url), address(urljoin(url, location))
    # The same host, from its port 80 to its port 443: what was sent in the clear may as well go on in secret.
    upgraded = here.startswith("http://") and here.endswith(":80") and there == f"https{here[4:-3]}:443"
    if here != there and not upgraded:
        raise errors.RedirectError(
            f"{here} redirects to {there}, where no token of it may go: give the cloud's final address in clouds.yaml, "
            "or have its catalog corrected"
        )
