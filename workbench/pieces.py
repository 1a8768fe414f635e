"""A plan and its pieces, as plain values: what was asked for, the rows, and all the work, each piece with its name."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from typing import Any

from workbench import words
from workbench.artifact import sha256_of
from workbench.card import Card
from workbench.event import Planned


@dataclass(frozen=True)
class Request:
    """What a person asked for, in plain values. `recipes` and `baseline` are recipe documents."""

    model: str
    recipes: tuple[dict[str, Any], ...]
    baseline: dict[str, Any]
    revision: str | None = None
    task: str | None = None
    data: str | None = None
    calibration: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    model_at: str | None = None  # folder that holds a `local:` model
    data_at: str | None = None
    calibration_at: str | None = None
    named: tuple[str, ...] = ()  # recipes that a person named; the others are defaults
    max_drop: float | None = None
    target: str | None = None
    n: int | None = None
    quick: bool = False
    fresh: bool = False
    verb: str = "compare"
    formats: tuple[str, ...] = ()  # of weights, besides those that the recipes take
    data_seed: int = 7  # which rows are drawn
    hold_out: bool = True  # rows may be kept out of evaluation for calibration
    calibration_fields: dict[str, str] | None = None  # where its columns are named otherwise
    notes: tuple[str, ...] = ()  # what the person should know before anything else
    budget_s: float | None = None  # wall seconds of a search


@dataclass(frozen=True)
class Work:
    """One piece of work, done in a process of its own. `key` names its artifact; `after` are ids of others."""

    id: str
    title: str
    key: str
    format: str
    after: tuple[str, ...]
    job: dict[str, Any]

    @property
    def called(self) -> str:
        """Its title, and whose it is."""
        return f"{self.title}: {self.job['variant']}" if "variant" in self.job else self.title


@dataclass(frozen=True)
class Prepare(Work):
    """Inputs of the builds: model, rows, prepared inputs, facts. `job["do"]` says which."""


@dataclass(frozen=True)
class Make(Work):
    """One step of one or more recipes; shared by all that begin alike."""


@dataclass(frozen=True)
class Measure(Work):
    """Answers or audit of one variant (`job["do"]`)."""


@dataclass(frozen=True)
class Gap:
    """Asked for, not possible here, and why; of a search also what was tried and lost, or failed."""

    recipe: str
    reason: str
    status: str = "skipped"


@dataclass(frozen=True)
class Variant:
    """One row: a recipe with its name in this comparison, and the ids of the work it stands on."""

    name: str
    recipe: dict[str, Any]
    artifact: str
    chain: tuple[str, ...]
    backend: str
    device: str
    threads: int
    options: dict[str, Any]
    calibration: str | None = None


@dataclass(frozen=True)
class Plan:
    """All the work of one run. `variants[0]` is the baseline."""

    request: Request
    task: str
    model: dict[str, Any]
    data: dict[str, Any]
    variants: tuple[Variant, ...]
    work: tuple[Work, ...]
    gaps: tuple[Gap, ...]
    cost: dict[str, Any]
    measure: dict[str, Any]
    machine: dict[str, Any]
    warnings: tuple[str, ...] = ()
    target: dict[str, Any] = field(default_factory=dict)  # of a target that was asked for: `_target_facts`

    @property
    def baseline(self) -> Variant:
        return self.variants[0]

    def __repr__(self) -> str:
        return f"<plan of {self.model['id']}: {', '.join(one.name for one in self.variants)}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        cost, n = self.cost, self.data["evaluation"]["n"]
        said = {"work": f"{words.plural(cost['builds'], 'build')}, {cost['reused']} more reused; n = {words.number(n)}",
                "time": f"about {words.duration(cost['seconds'])}"}  # fmt: skip
        said |= {name: f"{words.megabytes(cost[f'{name}_bytes'] / 1e6)}{words.NBSP}MB"
                 for name in ("download", "disk", "memory")}  # fmt: skip
        rows = [(one.name, one.backend, "") for one in self.variants]
        rows += [(gap.recipe, "left out", gap.reason) for gap in self.gaps]
        return Card(f"Plan: {self.model['id']}", facts=said, rows=rows, notes=self.warnings).bundle()

    @property
    def fingerprint(self) -> str:
        """Equal for requests that ask for the same."""
        return sha256_of([asdict(self.request), self.model["revision"], self.data])

    def piece(self, id: str) -> Work:
        return next(work for work in self.work if work.id == id)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"work": [{"kind": type(work).__name__, **asdict(work)} for work in self.work]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        kinds = {"Prepare": Prepare, "Make": Make, "Measure": Measure}
        work = tuple(kinds[one.pop("kind")](**one | {"after": tuple(one["after"])}) for one in map(dict, data["work"]))
        variants = tuple(Variant(**one | {"chain": tuple(one["chain"])}) for one in data["variants"])
        listed = {key: tuple(data["request"].get(key, ())) for key in ("recipes", "named", "formats", "notes")}
        request = Request(**data["request"] | listed)
        rest = {"work": work, "variants": variants, "request": request}
        rest |= {"gaps": tuple(Gap(**gap) for gap in data["gaps"]), "warnings": tuple(data["warnings"])}
        return cls(**data | rest)


def planned(plan: Plan) -> Planned:
    """The plan as far as a board shows it."""
    names = [variant.name for variant in plan.variants]
    pieces = [{"id": work.id, "title": work.called, "variants": _standing_on(work.id, plan)} for work in plan.work]
    speed = {"id": "speed", "title": "Measure speed, interleaved", "variants": names}
    return Planned(pieces=[*pieces, speed], seconds=plan.cost["seconds"])


def _standing_on(id: str, plan: Plan) -> list[str]:
    return [one.name for one in plan.variants if id in one.chain or id.endswith(f"-{one.name}")]


# ---- the same asked for again -------------------------------------------------------------------


def command(request: Request) -> str:
    """What asks for the same in a terminal. Recipes that are not on the shelf are named by their file."""
    said = ["workbench", verb(request), request.model + (f"@{request.revision}" if request.revision else "")]
    for name in recipes_of(request):
        said += ["-r", name]
    for name, value in keywords(request).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, dict):
            value = ",".join(f"{field}={column}" for field, column in value.items())
        said += [flag] if value is True else [flag, _plain(value)]
    return shlex.join(said)


def verb(request: Request) -> str:
    """A request that has a budget is a search."""
    return "tune" if request.budget_s else "compare"


def recipes_of(request: Request) -> list[str]:
    """Names of those that a person named; the others are the shelf's choice."""
    return [str(one["name"]) for one in request.recipes] if request.named else []


def keywords(request: Request) -> dict[str, Any]:
    """Keywords of `workbench.compare` or `workbench.tune`, which are the flags of the command, too."""
    goal = request.baseline["spec"].get("goal", {}) if request.budget_s else {}
    bounds = {name.removesuffix("_mb"): value for one in goal.get("constraints", ()) for name, value in one.items()}
    relative = any(one.get("kind") == "relative" for one in goal.get("constraints", ()))
    optimize = goal.get("optimize")
    baseline = request.baseline["name"]
    given = {
        "baseline": baseline if baseline in request.named else None,
        "task": request.task, "data": request.data, "calibration": request.calibration,
        "fields": dict(request.fields) or None, "target": request.target,
        "max_drop": bounds.get("max_drop", request.max_drop),
        "relative": relative or None,
        **{name: bounds.get(name) for name in ("min_speedup", "max_size", "max_memory")},
        "optimize": None if optimize == "latency" else optimize,
        "budget": f"{_plain(request.budget_s)}s" if request.budget_s else None,
        "n": request.n, "quick": request.quick or None,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _plain(value: Any) -> str:
    return str(value).removesuffix(".0")
