"""What can go wrong with a lab, said so that one knows what to do next."""

from openstackoid.core.errors import OpenStackoidError


class LabError(OpenStackoidError):
    """The lab cannot do what was asked; the message says why and what would help."""

    code = "lab.failed"
