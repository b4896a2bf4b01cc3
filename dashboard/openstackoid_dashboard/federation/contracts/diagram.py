"""The states of a contract as a drawing: where it is, and where it may go next. Pure.

The table is the control plane's (openstackoid/regions/objects/states.py), without who may do what: the contract's own `allowed` says that.
"""

from dataclasses import dataclass

WIDTH, HEIGHT = 128, 34  # of a state's box
COLUMN, ROW = 190, 92  # from one box to the next
# Column and row of each state.
PLACES = {
    "requested": (0, 0),
    "countered": (0, 1),
    "agreed": (1, 0),
    "provisioning": (2, 0),
    "active": (3, 0),
    "suspended": (3, 1),
    "ending": (4, 0),
    "ended": (5, 0),
    "rejected": (1, 1),
    "expired": (1, 2),
}
# (state, next) -> the events that lead there.
ARROWS = {
    ("requested", "countered"): ("counter",),
    ("requested", "agreed"): ("accept",),
    ("requested", "rejected"): ("reject",),
    ("requested", "expired"): ("expire",),
    ("countered", "countered"): ("counter",),
    ("countered", "agreed"): ("accept",),
    ("countered", "rejected"): ("reject",),
    ("countered", "expired"): ("expire",),
    ("agreed", "provisioning"): ("provision",),
    ("agreed", "ending"): ("end",),
    ("provisioning", "active"): ("activate",),
    ("provisioning", "ending"): ("end",),
    ("active", "suspended"): ("suspend",),
    ("active", "ending"): ("end",),
    ("suspended", "active"): ("resume",),
    ("suspended", "ending"): ("end",),
    ("ending", "ended"): ("finish",),
}
LAST_ROW = max(row for _, row in PLACES.values())
LAST_COLUMN = max(column for column, _ in PLACES.values())


@dataclass(frozen=True)
class Box:
    """A state.

    Attributes:
        x, y: of its upper left corner.
        name: of the state.
        kind: `now`, `next` or `other`.
    """

    x: int
    y: int
    name: str
    kind: str

    @property
    def middle(self) -> tuple[int, int]:
        """Where its name stands."""
        return self.x + WIDTH // 2, self.y + HEIGHT // 2 + 5


@dataclass(frozen=True)
class Arrow:
    """A way from a state to the next.

    Attributes:
        path: in SVG's language.
        open: whether it leads on from the state that the contract is in.
    """

    path: str
    open: bool


@dataclass(frozen=True)
class Drawing:
    """What a page draws."""

    boxes: list[Box]
    arrows: list[Arrow]
    width: int = LAST_COLUMN * COLUMN + WIDTH + 2
    height: int = LAST_ROW * ROW + HEIGHT + 12


def draw(state: str) -> Drawing:
    """Draw the states around one.

    Args:
        state: that a contract is in.
    """
    after = {after for before, after in ARROWS if before == state}
    boxes = [
        Box(column * COLUMN + 1, row * ROW + 6, name, "now" if name == state else "next" if name in after else "other")
        for name, (column, row) in PLACES.items()
    ]
    arrows = [
        Arrow(_path(PLACES[before], PLACES[after]), before == state) for before, after in ARROWS if before != after
    ]
    return Drawing(boxes, arrows)


def _path(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A line between two boxes; over the others of the same row in an arc."""
    (column, row), (column_after, row_after) = start, end
    x, y = column * COLUMN + 1, row * ROW + 6
    x_after, y_after = column_after * COLUMN + 1, row_after * ROW + 6
    half = HEIGHT // 2
    if column == column_after:
        # Two ways between the same two boxes lie beside each other.
        down = row_after > row
        shift = WIDTH // 2 + (-14 if down else 14)
        return f"M{x + shift} {y + (HEIGHT if down else 0)}L{x + shift} {y_after + (0 if down else HEIGHT)}"
    if row == row_after and column_after - column > 1:
        top = (x + x_after + WIDTH) // 2
        return f"M{x + WIDTH - 20} {y + HEIGHT}Q{top} {y + HEIGHT + 40} {x_after + 20} {y_after + HEIGHT}"
    return f"M{x + WIDTH} {y + half}L{x_after} {y_after + half}"
