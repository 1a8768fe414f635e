"""The keys of a recipe in the order of what matters: what kind of difference each makes, and what it can explain."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.difference.change import Effect, Kind
from workbench.recipe_file import KeyPath

BOTH: tuple[Effect, ...] = ("speed", "accuracy")
SPEED: tuple[Effect, ...] = ("speed",)
ACCURACY: tuple[Effect, ...] = ("accuracy",)


@dataclass(frozen=True)
class Topic:
    """All keys that begin with `path`; `depth` more parts of a key make a difference of its own (a package, an
    option). `name`: what it is called where the key alone would not say it."""

    path: KeyPath
    kind: Kind
    explains: tuple[Effect, ...] = ()
    name: str = ""
    depth: int = 0


def _topics(kind: Kind, *said: tuple[str, tuple[Effect, ...], str, int]) -> list[Topic]:
    return [Topic(tuple(path.split(".")), kind, explains, name, depth) for path, explains, name, depth in said]


# The first that fits decides.
TOPICS = (
    *_topics(
        "spec",
        ("spec.target.machine", (), "machine class asked for", 0),
        ("spec.target.backend", BOTH, "", 0),
        ("spec.target.device", BOTH, "", 0),
        ("lock.runtime.device", BOTH, "device it ran on", 0),
        ("lock.runtime.details.device", BOTH, "device it ran on", 0),
        ("lock.runtime.details.precision", BOTH, "precision it ran in", 0),
        ("spec.target.threads", SPEED, "threads asked for", 0),
        ("spec.target.options", BOTH, "", 1),
        ("spec.target", BOTH, "", 1),
        ("spec.steps", BOTH, "steps", 0),
        ("lock.steps", BOTH, "steps", 0),
        ("spec.seed", ACCURACY, "seed of the steps", 0),
    ),
    *_topics(
        "inputs",
        ("spec.model.id", BOTH, "model", 0),
        ("lock.model.license", (), "license of the model", 0),
        ("lock.model", BOTH, "content of the model", 0),
        ("spec.model.digest", BOTH, "content of the model", 0),
        ("spec.model.revision", (), "revision of the model that is asked for", 0),
        ("spec.model.task", BOTH, "task", 0),
        ("spec.model", BOTH, "model", 0),
        ("lock.data.evaluation", BOTH, "evaluation rows", 0),
        ("lock.data.calibration.consumed", ACCURACY, "what the steps looked at", 0),
        ("lock.data.calibration", ACCURACY, "calibration rows", 0),
        ("lock.data.overlap", ACCURACY, "calibration rows that are evaluated, too", 0),
        ("lock.data", BOTH, "rows", 0),
        ("spec.data.evaluation.digest", BOTH, "evaluation rows", 0),
        ("spec.data.calibration.digest", ACCURACY, "calibration rows", 0),
        ("spec.data.evaluation", BOTH, "evaluation data", 1),
        ("spec.data.calibration", ACCURACY, "calibration data", 1),
        ("spec.data", BOTH, "data", 0),
    ),
    *_topics(
        "environment",
        ("lock.machine.class", BOTH, "machine class", 0),
        ("lock.machine.cpu", SPEED, "CPU", 0),
        ("lock.machine.cores", SPEED, "cores", 0),
        ("lock.machine.quota", SPEED, "cores’ worth of CPU time", 0),
        ("lock.runtime.threads", SPEED, "threads of one call", 0),
        ("lock.machine.accelerators", SPEED, "accelerators", 0),
        ("lock.machine.memory_gb", (), "memory, GB", 0),
        ("lock.environment.packages", BOTH, "", 1),
        ("lock.environment.python", SPEED, "Python", 0),
        ("lock.environment.env", BOTH, "", 1),
        ("lock.environment.os", SPEED, "operating system", 0),
        ("lock.tool", BOTH, "workbench", 0),
        ("lock.runtime.details.threads", SPEED, "threads of one call", 0),
        ("lock.runtime.details.version", BOTH, "version of the runtime", 0),
        ("lock.environment", BOTH, "what was installed", 0),
        ("lock.machine", BOTH, "machine", 0),
    ),
    *_topics("expectations", ("lock.runtime.details", (), "what the runtime reports", 1)),
    *_topics("environment", ("lock.runtime", SPEED, "how it ran", 0), ("lock", (), "lock", 0)),
    *_topics(
        "measuring",
        ("spec.goal.baseline", BOTH, "baseline", 0),
        ("spec.measure.accuracy_batch", ACCURACY, "batch of the accuracy run", 0),
        ("spec.measure.n", ACCURACY, "most rows that are answered", 0),
        ("spec.measure.rounds", (), "rounds", 1),
        ("spec.measure", (), "", 1),
    ),
    *_topics(
        "expectations",
        ("expect.speed", (), "speed-up", 0),
        ("expect.accuracy", (), "accuracy", 0),
        ("expect.resources", (), "size and memory", 0),
        ("expect.verdict", (), "verdicts", 0),
        ("expect.artifacts", (), "what was built", 0),
        ("expect", (), "what was measured", 0),
    ),
    *_topics("goal", ("spec.goal.constraints", (), "what must hold", 0), ("spec.goal", (), "", 1)),
    *_topics("about", ("name", (), "", 0), ("summary", (), "", 0), ("shelf", (), "shelf", 1), ("schema", (), "", 0)),
)
SILENT: tuple[KeyPath, ...] = (("lock", "spec_sha256"), ("identity",))  # they follow from the rest


def topic_of(path: KeyPath) -> Topic | None:
    """The topic of a key; None where it follows from the others."""
    if any(path[: len(one)] == one for one in SILENT):
        return None
    return next(topic for topic in TOPICS if path[: len(topic.path)] == topic.path)
