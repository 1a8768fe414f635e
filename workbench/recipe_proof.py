"""Every key of a recipe's `lock` and `expect`: what a spec was resolved to, and what was measured."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workbench.recipe_keys import ALLOWED_VARIABLES as ALLOWED_VARIABLES
from workbench.recipe_keys import Keys, Options, Revision, Sha256, Variable, Word

Interval = tuple[float, float]


# ---- lock: what it was resolved to --------------------------------------------------------------


class Tool(Keys):
    name: str = Field(default="workbench", description="What wrote this.")
    version: str = Field(description="Its version.")


class File(Keys):
    path: str = Field(description="Path inside the model's folder.")
    sha256: Sha256 = Field(description="sha256 of its bytes.")
    bytes: int = Field(ge=0, description="Its size.")


class LockedModel(Keys):
    revision: Revision = Field(description="Commit (40 hex), or the sha256 digest of a local folder; never a branch.")
    files: tuple[File, ...] = Field(default=(), description="Every file of the model.")
    license: str | None = Field(default=None, description="What the model's card says.")
    trust_remote_code: Literal[False] = Field(
        default=False, description="Always false: code of a model's repository is never run."
    )


class Rows(Keys):
    count: int = Field(ge=0, description="How many rows were used.")
    ids_sha256: Sha256 = Field(description="sha256 over their row ids, in order.")


class Consumed(Keys):
    samples: int = Field(ge=0, description="Samples that quantization was fed.")
    unique: int = Field(ge=0, description="Different ones among them.")
    token_ids_sha256: Sha256 | None = Field(default=None, description="sha256 over the tensors that it was fed.")


class LockedData(Keys):
    revision: Revision | None = Field(default=None, description="Commit of a Hub data set; never a branch.")
    digest: Sha256 | None = Field(default=None, description="sha256 of local or starter data.")
    rows: Rows = Field(description="Which rows.")


class LockedCalibration(LockedData):
    consumed: Consumed | None = Field(default=None, description="What the steps really looked at.")


class LockedDataSets(Keys):
    evaluation: LockedData | None = Field(default=None, description="The rows that were answered.")
    calibration: LockedCalibration | None = Field(default=None, description="The rows that quantization was given.")
    overlap: int = Field(
        default=0, ge=0, description="Calibration rows that also occur in evaluation, counted after removal."
    )


class LockedStep(Keys):
    use: Word = Field(description="The step's name.")
    version: int = Field(ge=0, description="The step's version.")
    options: Options = Field(default={}, description="Every option, defaults written out.")


class Environment(Keys):
    python: str = Field(description="Version of Python.")
    packages: dict[str, str] = Field(default={}, description="Exact versions of what the used plug-ins need.")
    os: str | None = Field(default=None, description="Operating system.")
    env: dict[Variable, str] = Field(default={}, description="Environment variables that change numbers or speed.")


class MachineFacts(Keys):
    isa: str = Field(
        alias="class", description="Architecture and instruction sets: what a promise on speed belongs to."
    )
    cpu: str | None = Field(default=None, description="Name of the CPU.")
    cores: int | None = Field(default=None, ge=1, description="Cores that could be used.")
    quota: float | None = Field(default=None, gt=0, description="Cores' worth of CPU time.")
    memory_gb: float | None = Field(default=None, gt=0, description="Memory that could be used, in GB.")
    accelerators: tuple[str, ...] = Field(default=(), description="Names of GPUs and the like.")


class Runtime(Keys):
    device: str | None = Field(default=None, description="Where the model ran.")
    threads: int | None = Field(default=None, ge=1, description="Threads of one call.")
    details: Options = Field(default={}, description="What the session reports: precision, placement, options.")


class Search(Keys):
    """How a tuning came to this recipe."""

    budget_s: float = Field(gt=0, description="Wall seconds that were allowed.")
    spent_s: float = Field(ge=0, description="Wall seconds that it took.")
    candidates: int = Field(ge=0, description="Ways to optimize that were looked at.")
    raced: int = Field(ge=0, description="Those whose speed was measured.")
    answered: int = Field(ge=0, description="Those whose accuracy was tested.")
    wrong_kill: float = Field(ge=0, lt=1, description="Chance that the test gave up one candidate that would have met.")
    seed: int = Field(ge=0, description="Seed of the order of examples.")


class Lock(Keys):
    spec_sha256: Sha256 = Field(description="The spec that this lock belongs to.")
    tool: Tool = Field(description="What wrote the lock.")
    model: LockedModel = Field(description="The model, pinned.")
    data: LockedDataSets | None = Field(default=None, description="The rows, pinned.")
    steps: tuple[LockedStep, ...] = Field(default=(), description="The steps with every option.")
    environment: Environment | None = Field(default=None, description="What was installed.")
    machine: MachineFacts | None = Field(default=None, description="What it was made on.")
    runtime: Runtime | None = Field(default=None, description="How it ran.")
    search: Search | None = Field(default=None, description="What found it, where a tuning did.")


# ---- expect: what was measured ------------------------------------------------------------------


class Coverage(Keys):
    quantized: int = Field(ge=0, description="How many were changed.")
    total: int = Field(ge=0, description="How many there are.")


class ExpectedArtifact(Keys):
    step: str = Field(description="The step that made it.")
    sha256: Sha256 = Field(description="sha256 of the files.")
    semantic: Sha256 = Field(description="sha256 of graph structure and tensors in canonical order.")
    bytes: int = Field(ge=0, description="Size of the files.")
    coverage: dict[str, Coverage] = Field(default={}, description="By operator: how many were quantized.")


class Flips(Keys):
    to_wrong: int = Field(ge=0, description="Right before, wrong now.")
    to_right: int = Field(ge=0, description="Wrong before, right now.")


class Tolerance(Keys):
    agreement: float | None = Field(default=None, ge=0, le=1, description="How far agreement may fall.")
    delta: float | None = Field(default=None, ge=0, description="How far delta may move.")


class ExpectedAccuracy(Keys):
    metric: str = Field(description="The metric.")
    baseline: float | None = Field(default=None, description="Its value for the baseline.")
    optimized: float | None = Field(default=None, description="Its value for this recipe.")
    n: int = Field(ge=0, description="Rows that were answered.")
    delta: float | None = Field(default=None, description="optimized - baseline.")
    ci95: Interval | None = Field(default=None, description="Interval of delta.")
    flips: Flips | None = Field(default=None, description="Answers that changed sides.")
    agreement: float | None = Field(default=None, ge=0, le=1, description="Share of equal answers.")
    predictions_sha256: Sha256 | None = Field(default=None, description="sha256 over the answers, in row order.")
    tolerance: Tolerance | None = Field(default=None, description="What still counts as reproduced.")


class ExpectedSpeed(Keys):
    name: str = Field(description="The point.")
    batch: int = Field(ge=1, description="Examples a call.")
    sequence: int | None = Field(default=None, ge=1, description="Tokens an example; none means natural lengths.")
    speedup: float = Field(gt=0, description="Against the baseline of the same run.")
    ci95: Interval | None = Field(default=None, description="Interval of the speed-up.")
    baseline_p50_ms: float | None = Field(default=None, ge=0, description="Median of the baseline's calls.")
    p50_ms: float | None = Field(default=None, ge=0, description="Median of this recipe's calls.")
    rounds: int | None = Field(default=None, ge=0, description="Rounds that were measured.")
    aa_ci95: Interval | None = Field(default=None, description="Interval of the baseline against itself.")
    applies: Literal["same_machine_class"] = Field(
        default="same_machine_class", description="Where this may be expected."
    )


class Resources(Keys):
    peak_rss_mb: float | None = Field(default=None, ge=0, description="Peak memory of the worker, MB (10^6 bytes).")
    size_mb: float | None = Field(default=None, ge=0, description="Size of the model's files, MB (10^6 bytes).")
    load_s: float | None = Field(default=None, ge=0, description="Seconds to load.")


class Verdict(Keys):
    accuracy: Literal["no_detectable_drop", "drop", "cannot_tell", "baseline"] | None = Field(
        default=None, description="On accuracy."
    )
    detectable_drop: float | None = Field(
        default=None, ge=0, description="The smallest drop that this many rows can show."
    )
    speed: Literal["faster", "slower", "no_clear_difference", "not_comparable", "baseline"] | None = Field(
        default=None, description="On speed."
    )
    constraints: Literal["met", "missed", "cannot_tell"] | None = Field(
        default=None, description="On all constraints together."
    )


class Expect(Keys):
    artifacts: tuple[ExpectedArtifact, ...] = Field(default=(), description="What each step made.")
    accuracy: ExpectedAccuracy | None = Field(default=None, description="How good it is.")
    speed: tuple[ExpectedSpeed, ...] = Field(default=(), description="How fast it is.")
    resources: Resources | None = Field(default=None, description="What it takes.")
    verdict: Verdict | None = Field(default=None, description="What may be said.")


class Identity(Keys):
    recipe: Sha256 = Field(description="sha256 over canonical JSON of spec + lock.{model, data, steps}.")
