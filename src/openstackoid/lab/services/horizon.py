"""Horizon as a WSGI application with its static files, for gunicorn, which serves none."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from openstack_dashboard.wsgi import application as horizon
from whitenoise import WhiteNoise

_files = WhiteNoise(horizon, root=settings.STATIC_ROOT, prefix=settings.STATIC_URL)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve a request.

    Horizon asks for some files with two slashes (`app/core/images//actions/...`), without which the button that creates an image is
    missing. Apache and nginx take them for one; WhiteNoise does not.
    """
    path = environ.get("PATH_INFO", "")
    if path.startswith(settings.STATIC_URL):
        environ["PATH_INFO"] = re.sub("//+", "/", path)
    answer: Iterable[bytes] = _files(environ, start_response)
    return answer
