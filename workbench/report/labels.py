"""Where the names of points go, so that no name covers another name or a mark."""

from __future__ import annotations

from dataclasses import dataclass

CHAR, LINE = 7.0, 13.0  # px of one monospaced character and of a line, at 12 px
FAR = [(18 + 4 * step, sign * (24 + 13 * step)) for step in range(8) for sign in (1, -1)]
REACHES = [(11, 0), (11, 12), (11, -12), *FAR]  # px across and down from the point to its name, near ones first


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float
    weight: float = 1.0  # how bad it is to cover this

    def shares(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)

    def outside(self, other: Box) -> float:
        """How far this box sticks out of `other`, in px."""
        return sum(
            max(gap, 0.0)
            for gap in (
                other.left - self.left,
                self.right - other.right,
                other.top - self.top,
                self.bottom - other.bottom,
            )
        )


@dataclass(frozen=True)
class Label:
    """Text at (x, y) of its baseline; `leader` is an SVG path from the point, or empty when the name is near."""

    text: str
    x: float
    y: float
    anchor: str
    leader: str
    box: Box


def place(points: list[tuple[str, float, float]], taken: list[Box], inside: Box) -> list[Label]:
    """A label for each (name, x, y), in the order given: each takes the best place that the ones before left."""
    used, labels = list(taken), []
    for name, x, y in points:
        options = [_option(name, x, y, across, down, side) for across, down in REACHES for side in (1, -1)]
        label = min(options, key=lambda option: _cost(option, used, inside, x, y))
        labels.append(label)
        used.append(label.box)
    return labels


def _option(name: str, x: float, y: float, across: float, down: float, side: int) -> Label:
    at, middle, width = x + side * across, y + down, CHAR * len(name)
    left, right = (at, at + width) if side > 0 else (at - width, at)
    leader = f"M{x:.1f} {y:.1f}L{at - side * 2:.1f} {middle:.1f}" if abs(down) > 12 else ""
    return Label(
        name,
        at,
        middle + 4,
        "start" if side > 0 else "end",
        leader,
        Box(left - 1, middle - LINE / 2, right + 1, middle + LINE / 2),
    )


def _cost(label: Label, used: list[Box], inside: Box, x: float, y: float) -> float:
    """Covering something is worse than sticking out, which is worse than being far away."""
    covered = sum(box.weight * label.box.shares(box) for box in used)
    far = abs(label.x - x) + abs(label.y - 4 - y)
    return 12 * covered + 60 * label.box.outside(inside) + far + (0 if label.anchor == "start" else 4)
