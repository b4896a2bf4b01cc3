"""What can go wrong with a lab, said so that one knows what to do next."""


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what would help."""
