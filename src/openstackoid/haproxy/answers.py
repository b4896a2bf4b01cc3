"""Errors that HAProxy answers by itself, in OpenStack's JSON form with our codes. Pure."""

import json

from openstackoid.core import errors


def deny_text(error: errors.OpenStackoidError) -> str:
    """An error as the arguments of a `deny` or `http-error` rule: its JSON, quoted for HAProxy's reader and its log format."""
    body = json.dumps(error.body()).replace("%", "%%")
    quoted = body.replace("\\", "\\\\").replace('"', '\\"')
    return f'content-type application/json lf-string "{quoted}"'


def error_file(error: errors.OpenStackoidError) -> str:
    """An error as an `errorfile`, head and all: its status is the gateway's, such as 502 for a refused connection, where HAProxy says 503."""
    body = json.dumps(error.body())
    title = error.body()["error"]["title"]
    return (
        f"HTTP/1.1 {error.status} {title}\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )
