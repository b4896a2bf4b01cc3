"""A client's options for a request to several clouds, in X-Scope-* headers.

X-Scope-Timeout: 5           seconds after which a cloud that has not answered is missing; the configuration bounds it
X-Scope-Require: all         how many clouds must answer: all, any (the default), or a number
X-Scope-Annotate: cloud      each item of a list has the name of its cloud at `cloud`
X-Scope-Match: name          things of the same name, or id, one in each cloud, are one for who looks for it
X-Scope-Annotate: answers    the document has what each cloud answered at `scope_answers`; both: cloud, answers
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from multidict import CIMultiDictProxy

from openstackoid.core.errors import BadRequestError
from openstackoid.core.protocol import OF_SEVERAL

TIMEOUT: Final = f"{OF_SEVERAL}Timeout"
REQUIRE: Final = f"{OF_SEVERAL}Require"
ANNOTATE: Final = f"{OF_SEVERAL}Annotate"
MATCH: Final = f"{OF_SEVERAL}Match"
_SECONDS: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,3})?\Z")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,4}\Z")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The parsed options.

    Attributes:
        timeout: seconds.
        require: clouds that must answer.
        annotate: whether each item gets the name of its cloud.
        answers: whether the document says what each cloud answered.
        by_name: whether one thing of a name in each cloud stands for all of them.
    """

    timeout: float
    require: int | Literal["all", "any"] = "any"
    annotate: bool = False
    answers: bool = False
    by_name: bool = False

    @classmethod
    def of(cls, headers: CIMultiDictProxy[str], most: float) -> "Wishes":
        """Read a request's headers.

        Args:
            headers: of the request.
            most: upper bound of the timeout in seconds, as configured.

        Raises:
            BadRequestError: one of them is malformed.
        """
        seconds, require, annotate = headers.get(TIMEOUT), headers.get(REQUIRE, "any"), headers.get(ANNOTATE)
        if seconds is not None and (not _SECONDS.match(seconds) or not float(seconds)):
            raise BadRequestError(f"Expected seconds at {TIMEOUT}, such as 5 or 2.5.")
        if require not in {"all", "any"} and not _COUNT.match(require):
            raise BadRequestError(f"Expected all, any or a number at {REQUIRE}.")
        annotations = {part.strip() for part in annotate.split(",")} if annotate is not None else set()
        if not annotations <= {"cloud", "answers"}:
            raise BadRequestError(f"Expected cloud, answers or both at {ANNOTATE}.")
        if headers.get(MATCH) not in {None, "name"}:
            raise BadRequestError(f"Expected name at {MATCH}.")
        return cls(
            min(float(seconds), most) if seconds else most,
            "all" if require == "all" else "any" if require == "any" else int(require),
            "cloud" in annotations,
            "answers" in annotations,
            headers.get(MATCH) is not None,
        )

    def met(self, answered: int, asked: int) -> bool:
        """Whether enough clouds answered."""
        needed = asked if self.require == "all" else 1 if self.require == "any" else self.require
        return answered >= needed
