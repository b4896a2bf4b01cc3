"""Answers and ids that the gateway makes itself."""

import os
import uuid

import orjson
from aiohttp import web

from openstackoid.core import errors
from openstackoid.gateway import headers as heads


def refusal(error: errors.OpenStackoidError) -> web.Response:
    """An error as an answer in OpenStack's JSON form."""
    headers = {heads.REQUEST_ID: new_id()}
    if isinstance(error, errors.RateError):
        headers["Retry-After"] = "1"
    return web.Response(
        status=error.status, body=orjson.dumps(error.body()), content_type="application/json", headers=headers
    )


def request_id(given: str | None) -> str:
    """The global request id: the client's if it has the form that oslo.middleware believes, else a new one."""
    if given is not None and len(given) == 40 and given.startswith("req-"):  # noqa: PLR2004 - req- and a UUID
        try:
            uuid.UUID(given[4:])
        except ValueError:
            pass
        else:
            return given
    return new_id()


def new_id() -> str:
    """A request id: `req-` and a random UUID, without the cost of an object."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"req-{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
