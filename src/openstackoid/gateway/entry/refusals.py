"""Error answers and request ids that the gateway makes itself."""

import math
import os

import orjson
from aiohttp import web

from openstackoid.core import errors, protocol
from openstackoid.core.request_ids import is_request_id


class CutError(Exception):
    """The upstream broke off in the middle of its answer."""


def refusal(error: errors.OpenStackoidError) -> web.Response:
    """An error as an answer in OpenStack's JSON form."""
    headers = {protocol.REQUEST_ID: new_id()}
    if error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    return web.Response(
        status=error.status, body=orjson.dumps(error.body()), content_type="application/json", headers=headers
    )


def request_id(given: str | None) -> str:
    """The global request id: the client's if it has the form that oslo.middleware accepts, else a new one."""
    return given if given is not None and is_request_id(given) else new_id()


def new_id() -> str:
    """A request id: `req-` and a random UUID, without the cost of an object."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"req-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
