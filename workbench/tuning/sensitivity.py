"""Which operators of a quantized model cost most: what a repair goes by, to be seen by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench import planning, words
from workbench.card import Card
from workbench.errors import WorkbenchError
from workbench.event import Event
from workbench.executing import Here
from workbench.pieces import Plan
from workbench.store import Store

SCHEMA = "workbench/sensitivity@1"
SHOWN = 20


@dataclass(frozen=True)
class Operator:
    """`error`: of its output when it alone is quantized and reads what the original's reads; `carried`: in the
    quantized model, with all that came before. Both are squared and relative to the original's output."""

    name: str
    type: str
    error: float
    carried: float


@dataclass(frozen=True)
class Sensitivity:
    """The operators that a recipe quantizes, the one that costs most first. `outputs`: the same error of what the whole
    model says; `examples`: how many were looked at."""

    model: str
    recipe: str
    step: str
    operators: tuple[Operator, ...]
    outputs: float
    examples: int

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}

    def lines(self, most: int = SHOWN) -> list[tuple[str, ...]]:
        """Rank, name, type, own error, carried error; as text."""
        return [(str(number), one.name, one.type, _share(one.error), _share(one.carried))
                for number, one in enumerate(self.operators[:most], 1)]  # fmt: skip

    @property
    def title(self) -> str:
        return (f"{self.recipe} of {self.model}: {words.plural(len(self.operators), 'operator')}, "
                f"outputs {_share(self.outputs)} off, on {words.plural(self.examples, 'example')}")  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([self.title, *("  ".join(line) for line in self.lines())])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return Card(self.title, header=HEADER, rows=self.lines()).bundle()


HEADER = ("", "operator", "type", "its own error", "carried error")


def _share(error: float) -> str:
    """A squared relative error as a share of the output's size: `1.20 %`."""
    return words.percent(error**0.5, 2)


def sensitivity(plan: Plan, store: Store, folder: Path, tell: Callable[[Event], None]) -> Sensitivity:
    """Build the plan's last variant and rank its operators. Raises RequestError where no step can tell, WorkbenchError
    when something fails."""
    variant = plan.variants[-1]
    plan = planning.with_ranking(plan, variant.name)
    here = Here(plan, store, folder, tell)
    id = f"sensitivity-{variant.name}"
    if broken := here.do(id):
        raise WorkbenchError(broken.what, broken.why, broken.fix)
    found = here.facts(id)
    step = plan.piece(plan.piece(id).job["make"]).job["step"]
    operators = tuple(Operator(**row) for row in found["operators"])
    return Sensitivity(plan.model["id"], variant.name, step, operators, found["outputs"], found["examples"])
