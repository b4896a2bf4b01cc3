"""A process of its own that rewrites large documents: `python -m openstackoid.gateway.upstream.rewriter`, started by `rewriting`.

It reads jobs from standard input until the end of file, and writes an answer to each. A job is: lengths as 4 bytes, a pickled `Job` of the gateway,
and the document. An answer is: a status byte, a length, and the document or `[code, message]` as JSON. The gateway never unpickles the answers:
a process that reads hostile documents may be compromised.
"""

import contextlib
import gc
import json
import pickle
import resource
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO, Final

import orjson

from openstackoid.core import limits
from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.ids import Ids
from openstackoid.core.json_text import JsonText
from openstackoid.core.limits import Limit, LimitError
from openstackoid.core.links import Links
from openstackoid.core.region_resources import Resources

HEAD: Final = struct.Struct(">II")
ANSWER: Final = struct.Struct(">BI")
DONE, SAME, REFUSED, LARGE, MALFORMED = range(5)
_MEMORY: Final = 1 << 31  # bytes of addresses: a document within its limits takes a quarter
_ENOUGH: Final = 1 << 26  # bytes of documents until a new process takes over: this one keeps memory for its largest


@dataclass(frozen=True, slots=True)
class Job:
    """The changes to a JSON document.

    Attributes:
        service: official service type of the service that gets or made the document.
        limit: of its kind.
        ids: the mapping of ids; None if no id changes.
        links: the mapping of URLs in an answer; None for a request.
        one_image: whether the document is a single image (`link_places.is_one_image`).
        resources: what is in the virtual region; None for a document of no region. Read before ids change: answers have the local ones.
    """

    service: str
    limit: Limit
    ids: Ids | None = None
    links: Links | None = None
    one_image: bool = False
    resources: Resources | None = None

    def concerns(self, body: bytes) -> bool:
        """Whether a document may change or be refused; if not, it need not be parsed. A search, without looking at its structure."""
        ids, links = self.ids, self.links
        return (
            self.resources is not None
            or (ids is not None and ids.concerns(body))
            or (links is not None and links.concern(body))
        )

    def __call__(self, body: bytes) -> bytes:
        """The document with ids and links changed; the original bytes if nothing changes.

        Raises:
            ValueError: the document is not JSON, or over its limit; the message names what was expected.
            OpenStackoidError: the document may not pass.
        """
        ids = self.ids if self.ids and self.ids.concerns(body) else None
        links = self.links if self.links and self.links.concern(body) else None
        if ids is None and links is None and self.resources is None:
            return body
        limits.check(body, self.limit)
        if self.resources is not None:
            body = self._in_region(self.resources, body)
            if ids is None and links is None:
                return body
        document = JsonText(body)
        if ids:
            change = ids.request if self.links is None else ids.answer
            change(self.service, document)
        if links:
            links.document(document, one_image=self.one_image)
        return document.result()

    def _in_region(self, resources: Resources, body: bytes) -> bytes:
        """A document without what is not in the region; the original bytes if nothing is left out.

        Services read JSON as Python's `json` does, so it is read so here: what is checked is what they find.
        """
        document = json.loads(body)
        if self.links is None:
            resources.request(self.service, document)
            return body
        if not isinstance(document, dict):
            return body
        before = {key: len(value) for key, value in document.items() if isinstance(value, list)}
        resources.answer(self.service, document)
        same = all(len(document[key]) == size for key, size in before.items())
        return body if same else json.dumps(document).encode()


def main() -> None:
    """Serve jobs until the end of the input."""
    with contextlib.suppress(OSError, ValueError):  # a service manager may forbid it, or has set a lower limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    gc.disable()  # documents have no cycles, and looking for them takes a third of the time
    source, target = sys.stdin.buffer, sys.stdout.buffer
    done = 0
    while done < _ENOUGH and (head := source.read(HEAD.size)):
        job_size, size = HEAD.unpack(head)
        job: Job = pickle.loads(source.read(job_size))  # noqa: S301 - by the gateway that started this process
        done += size
        _answer(job, source.read(size), target)


def _answer(job: Job, body: bytes, target: BinaryIO) -> None:
    try:
        result = job(body)
        how, result = (SAME, b"") if result is body else (DONE, result)
    except OpenStackoidError as error:
        how, result = REFUSED, orjson.dumps([error.code, str(error)])
    except LimitError as error:
        how, result = LARGE, orjson.dumps(["", str(error)])
    except ValueError as error:
        how, result = MALFORMED, orjson.dumps(["", str(error)])
    target.write(ANSWER.pack(how, len(result)))
    target.write(result)
    target.flush()


if __name__ == "__main__":
    main()
