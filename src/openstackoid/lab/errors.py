"""Errors of a lab, with messages that name the next step."""

from openstackoid.core.errors import OpenStackoidError


class LabError(OpenStackoidError):
    """The lab cannot do what was requested; the message names the reason and a remedy."""

    code = "lab.failed"
