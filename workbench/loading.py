"""Recipe file -> a model to call in this process, built or reused; and a transformers pipeline over it.

    model = load("best.yaml", store=store)
    model(**tokenizer(texts, padding=True, return_tensors="pt")).logits
    pipeline("best.yaml", store=store)("a warm and clever film")

Nothing is measured. What was built once opens without a look at the Hub or at any data.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import catalog, environment, executing, machine, planning, replay
from workbench import recipe as recipes
from workbench.artifact import sha256_of
from workbench.card import Card
from workbench.errors import RequestError, WorkbenchError
from workbench.event import Event, Failed
from workbench.generation import beginning, habits
from workbench.plugin import Writes
from workbench.recipe import Recipe
from workbench.store import Store

if TYPE_CHECKING:
    import torch

    from workbench.plugin import Batch, Session

Tell = Callable[[Event], None]
OF_THE_ORIGINAL = {
    "labels": "A loss is for training.",
    "output_attentions": "A built model gives what its head gives, and nothing from inside.",
    "output_hidden_states": "A built model gives what its head gives, and nothing from inside.",
    "past_key_values": "A built model keeps nothing from one call to the next.",
}
GREEDY = (
    "max_new_tokens",
    "max_length",
    "pad_token_id",
    "eos_token_id",
    "do_sample",
    "num_beams",
    "transformers_version",
)


class Model:
    """Called like the transformers model that the recipe began with; the recipe's runtime answers.

    `config` is that model's. `device` and `dtype` are those of inputs and outputs: host memory and float32; what
    the runtime computes in is in `facts()`. Its class bears the name of the original's, by which transformers'
    pipelines tell whether they can take it. Not for use by several threads at once.
    """

    def __init__(self, recipe: Recipe, session: Session, built: Built) -> None:
        import torch

        self.recipe, self.task, self.folder = recipe, built.task, built.model
        self.config = _config(built.model)
        self.head = _head(built.task, self.config)
        self.main_input_name = str(self.head.main_input_name)
        self.input_modalities = self.head.input_modalities
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.output_modalities = getattr(self.head, "output_modalities", None)  # of heads that write
        self.generation_config = _greedy(built.model)
        self._output = _output(self.head)
        self._session: Session | None = session

    def __call__(self, *main: Any, **inputs: Any) -> Any:
        return self.forward(*main, **inputs)

    def forward(self, *main: Any, return_dict: bool | None = None, **inputs: Any) -> Any:
        """One call: torch tensors or numpy arrays with batch axis, by the names a tokenizer or processor gives.

        Returns the output class of the original's head with float32 tensors on the device of the inputs, or with
        `return_dict=False` its tuple. Raises RequestError for what only the original gives, WorkbenchError after
        `close`.
        """
        import torch

        if self._session is None:
            raise WorkbenchError("This model is closed.", "", "Load it again.")
        given = dict(zip((self.main_input_name,), main, strict=False)) | inputs
        device = next((one.device for one in given.values() if isinstance(one, torch.Tensor)), self.device)
        answers = self._session.infer(_batch(given))
        tensors = {name: torch.from_numpy(value).to(device) for name, value in answers.items()}
        fields = getattr(self._output, "__dataclass_fields__", tensors)
        said = self._output(**{name: tensor for name, tensor in tensors.items() if name in fields})
        return said.to_tuple() if return_dict is False else said

    def facts(self) -> dict[str, Any]:
        """Read back from the runtime: precision, device, threads, …"""
        if self._session is None:
            raise WorkbenchError("This model is closed.", "", "Load it again.")
        return self._session.facts()

    def can_generate(self) -> bool:
        """Whether its task is to write."""
        return Writes in catalog.task(self.task).asks_for(self.config.to_dict())

    def generate(self, inputs: Any = None, *, generation_config: Any = None, **given: Any) -> torch.Tensor:
        """What transformers' `generate` returns when it takes the likeliest token always: ids [n, length], the prompt
        first. Prompts are padded on the left; texts end at the model's own end tokens, or after `max_new_tokens` (or
        at `max_length`).

        Raises RequestError for what is not greedy writing, and for a model whose task is not to write.
        """
        import numpy as np
        import torch

        batch = _batch({name: value for name, value in {self.main_input_name: inputs, **given}.items()
                        if isinstance(value, torch.Tensor | np.ndarray)})  # fmt: skip
        asked = {} if generation_config is None else generation_config.to_diff_dict()
        asked |= {name: value for name, value in given.items() if name not in batch and value is not None}
        _refuse_other_writing(self, asked)
        if self.config.is_encoder_decoder:
            rows = len(next(iter(batch.values())))
            batch.setdefault("decoder_input_ids", np.asarray([beginning(self.folder)] * rows, dtype=np.int64))
        prompt = "decoder_input_ids" if self.config.is_encoder_decoder else "input_ids"
        if (begun := batch.get(prompt)) is None:
            raise RequestError("There is no prompt.", "", 'Give input_ids: tokenizer(text, return_tensors="pt").')
        places = getattr(self.config, "max_target_positions", None)
        tokens = self._writer().write(batch, _new_tokens(asked, begun.shape[1], places)).tokens
        return torch.from_numpy(np.concatenate([begun, tokens], axis=1))

    def _writer(self) -> Writes:
        if self._session is None:
            raise WorkbenchError("This model is closed.", "", "Load it again.")
        assert isinstance(self._session, Writes), "planning lets only such sessions through"
        return self._session

    def to(self, *where: Any, **how: Any) -> Model:
        """Itself: the recipe says where it runs and in what precision."""
        return self

    def eval(self) -> Model:
        """Itself: it cannot be trained."""
        return self

    def close(self) -> None:
        """Free the runtime's model. Safe to call twice."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._card().text()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self._card().bundle()

    def _card(self) -> Card:
        target = self.recipe.spec.target
        said = {"runs on": f"{target.backend}, {target.device}"}
        if self._session is not None:
            facts = self.facts()
            said |= {key: str(facts[key]) for key in ("precision", "threads") if key in facts}
        title = f"{type(self).__name__} by the recipe {self.recipe.name}"
        return Card(title, "Closed." if self._session is None else "", said)


# ---- the doors ----------------------------------------------------------------------------------


def load(
    file: str | Path | Recipe, *, model: str | None = None, data: str | None = None, calibration: str | None = None,
    store: Store, tell: Tell,
) -> Model:  # fmt: skip
    """Build what a recipe says, or reuse it, and open it here. `model`, `data` and `calibration` as for `run`.

    `file` may be a recipe's name on the shelf, too. Data is read only where a step calibrates, or where the task has
    no default data. Raises RequestError for a file that is no recipe or lacks an input, WorkbenchError when building
    fails.
    """
    _hush()
    recipe = _recipe(file)
    given = {"model": model, "data": data, "calibration": calibration}
    built = None if any(given.values()) else _noted(recipe, store)
    return _opened(recipe, built or _build(recipe, given, store, tell))


def pipeline(
    file: str | Path | Recipe, *, model: str | None = None, data: str | None = None, calibration: str | None = None,
    store: Store, tell: Tell, **options: Any,
) -> Any:  # fmt: skip
    """transformers' own pipeline for the model's task over `load`, with the model's tokenizer or image processor.

    `options` are handed to transformers (`top_k`, `batch_size`, …). Raises RequestError, before anything is built
    where the file names its task, when transformers has no pipeline for it.
    """
    _hush()
    recipe = _recipe(file)
    if recipe.spec.model and recipe.spec.model.task:
        _pipeline_class(recipe.spec.model.task)
    opened = load(recipe, model=model, data=data, calibration=calibration, store=store, tell=tell)
    try:
        return _pipeline(opened, options)
    except BaseException:
        opened.close()
        raise


def _pipeline(opened: Model, options: dict[str, Any]) -> Any:
    import transformers

    kind = _pipeline_class(opened.task)
    if opened.head.can_generate() and not opened.can_generate():
        raise RequestError(
            f"{opened.recipe.name} has no pipeline.", f"transformers' {opened.task} pipeline makes a model generate.",
            "Call the model of workbench.load instead.",
        )  # fmt: skip
    parts = ("tokenizer", "image_processor", "feature_extractor", "video_processor", "processor")
    wanted: dict[str, Any]
    wanted = {part: str(opened.folder) for part in parts if getattr(kind, f"_load_{part}") is not False}
    if kind._load_feature_extractor:  # given as a folder, it would be looked for once more where `model` is
        wanted["feature_extractor"] = transformers.AutoFeatureExtractor.from_pretrained(opened.folder)
    make: Any = transformers.pipeline
    asked = {"device": opened.device, "trust_remote_code": False, **wanted, **options}
    return make(opened.task, model=opened, **asked)


def _pipeline_class(task: str) -> Any:
    import transformers
    from transformers.pipelines import PIPELINE_REGISTRY

    known = PIPELINE_REGISTRY.to_dict()
    if task not in known:
        raise RequestError(
            f"transformers has no pipeline for {task}.", f"It has {', '.join(sorted(known))}.",
            "Call the model of workbench.load instead.",
        )  # fmt: skip
    return getattr(transformers, known[task]["impl"].rpartition(".")[2])


def _recipe(given: str | Path | Recipe) -> Recipe:
    if isinstance(given, Recipe):
        return given
    if Path(given).is_dir():
        raise _a_folder(Path(given))
    return recipes.find_recipe(given)


def _a_folder(folder: Path) -> RequestError:
    """The folders that a run gives out hold the recipe file somewhere else."""
    place = folder.resolve()
    beside, below = place.parent.parent / "recipes" / f"{place.name}.yaml", sorted(place.glob("recipes/*.yaml"))
    fix = f"Give {beside if beside.is_file() else below[0] if below else 'the recipe file of a run'}."
    return RequestError(f"{folder} is a folder.", "Model files alone do not say how they are run; a recipe does.", fix)


# ---- building -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Built:
    """What opens: the transformers folder that the recipe began with, the artifact, and how it is run."""

    task: str
    model: Path
    artifact: Path
    runs: Mapping[str, Any]  # {"device", "options"}


def _build(recipe: Recipe, given: dict[str, str | None], store: Store, tell: Tell) -> Built:
    if recipe.spec.model is None and not given["model"]:
        raise RequestError(f"{recipe.name} names no model.", "It fits many models.", 'Give one with model="org/name".')
    pinned = recipe.lock is not None and not recipe.is_edited()
    with store.aside() as folder:
        try:
            plan = planning.make(replay.build_request(recipe, store, **given, pinned=pinned), store, folder)
        except RequestError as error:
            raise _in_python(error) from None
        here, variant = executing.Here(plan, store, folder, tell), plan.baseline
        for id in ("model", variant.artifact):
            if store.find(plan.piece(id).key, check=True) is None and (failed := here.do(id)):
                raise _not_built(recipe, failed, store)
        keys = {"model": plan.piece("model").key, "artifact": plan.piece(variant.artifact).key}
    said = {**keys, "task": plan.task, "runs": {"device": variant.device, "options": variant.options}}
    if pinned and not any(given.values()):
        with store.aside() as folder:
            store.keep(_note(recipe), "note", folder, said)
    found = _found(said, store)
    if found is None:
        raise WorkbenchError("A finished artifact is gone.", "It was removed meanwhile.", "Load it again.")
    return found


def _in_python(error: RequestError) -> RequestError:
    """The same words for somebody who writes no command line: `--data` is `data=…`."""
    return RequestError(error.what, error.why, re.sub(r"--(\w+)", r"\1=…", error.fix))


def _not_built(recipe: Recipe, failed: Failed, store: Store) -> WorkbenchError:
    kept, fix = store.home / "load.log", failed.fix
    with contextlib.suppress(OSError):
        shutil.copyfile(failed.log, kept)
        fix = f"{fix} {kept} has the log.".strip()
    return WorkbenchError(f"{recipe.name} could not be built.", f"{failed.stage}: {failed.reason}", fix)


def _note(recipe: Recipe) -> str:
    """Where the store notes what a locked recipe became here: with these steps, packages and instructions."""
    steps = [catalog.step(one.use) for one in recipe.spec.steps]
    return sha256_of({
        "load": recipe.identity(), "steps": [[step.name, step.version] for step in steps],
        "packages": environment.versions_of(package for step in steps for package in step.needs),
        "isa": machine.this_machine().isa,
    })  # fmt: skip


def _noted(recipe: Recipe, store: Store) -> Built | None:
    """What an earlier `load` of the same locked recipe built, if all of it is still there and whole."""
    needs = catalog.backend(recipe.spec.target.backend).needs
    if recipe.lock is None or recipe.is_edited() or environment.missing(needs):
        return None
    note = store.find(_note(recipe))
    return _found(note.facts, store) if note else None


def _found(said: Mapping[str, Any], store: Store) -> Built | None:
    model, artifact = (store.find(said[word], check=True) for word in ("model", "artifact"))
    return Built(said["task"], model.path, artifact.path, said["runs"]) if model and artifact else None


# ---- opening ------------------------------------------------------------------------------------


def _opened(recipe: Recipe, built: Built) -> Model:
    target = recipe.spec.target
    backend = catalog.backend(target.backend)
    options = catalog.options_of(backend, built.runs["options"], f"The recipe {recipe.name}")
    threads = machine.auto_threads() if target.threads == "auto" else int(target.threads)
    session = backend.open(built.artifact, built.runs["device"], threads, options)
    head = _head(built.task, _config(built.model))
    made: Model = type(head.__name__, (Model,), {"__doc__": Model.__doc__})(recipe, session, built)
    return made


def _hush() -> None:
    """torchao tells whoever imports it which of its libraries are for other machines, and PyTorch what torchao calls
    that is dated: nobody who loads a model can act on it."""
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, trust_remote_code=False)


def _head(task: str, config: Any) -> Any:
    """The class that transformers would load for this task."""
    import transformers
    from transformers.models.auto.auto_factory import _get_model_class

    auto_class: Any = getattr(transformers, catalog.task(task).class_for(config.to_dict()))
    return _get_model_class(config, auto_class._model_mapping)


def _output(head: Any) -> Any:
    """The ModelOutput that a head's `forward` says it returns; the general one where it says none."""
    import typing

    from transformers.utils.generic import ModelOutput

    said: Any = typing.get_type_hints(head.forward).get("return")
    classes = [one for one in (said, *typing.get_args(said)) if isinstance(one, type)]
    return next((one for one in classes if issubclass(one, ModelOutput)), ModelOutput)


def _batch(given: dict[str, Any]) -> Batch:
    """Inputs as arrays. Raises RequestError for one that is neither tensor nor array, or asks for too much."""
    import numpy as np
    import torch

    batch: Batch = {}
    for name, value in given.items():
        if value is None or value is False or (value is True and name not in OF_THE_ORIGINAL):
            continue
        if why := OF_THE_ORIGINAL.get(name):
            raise RequestError(f"The model takes no {name}.", why, "Load it with transformers for that.")
        if not isinstance(value, torch.Tensor | np.ndarray):
            kind = type(value).__name__
            raise RequestError(f"The input {name} is a {kind}.", "", 'Give a tensor or an array: return_tensors="pt".')
        batch[name] = _array(value) if isinstance(value, torch.Tensor) else value
    for name in batch.keys() & {"input_ids", "input_values"}:  # as transformers does: all counts, unless a mask says so
        batch.setdefault("attention_mask", np.ones(batch[name].shape[:2], dtype=np.int64))
    return batch


def _greedy(folder: Path) -> Any:
    """How the model writes here, as transformers says it: its own end tokens, no sampling."""
    from transformers import GenerationConfig

    known = habits(folder)
    return GenerationConfig(
        do_sample=False, num_beams=1, pad_token_id=known.padding, eos_token_id=list(known.ends) or None
    )


def _refuse_other_writing(model: Model, asked: Mapping[str, Any]) -> None:
    if not model.can_generate():
        raise RequestError(f"This model does not write: it is for {model.task}.", "", "Call it.")
    for name, value in asked.items():
        if name not in GREEDY or (name in ("do_sample", "num_beams") and value not in (False, 1)):
            raise RequestError(
                f"A built model takes no {name}={value}.",
                "It writes greedily: the likeliest token, one text a prompt.",
                "Leave it out, or load the model with transformers for that.",
            )  # fmt: skip


def _new_tokens(asked: Mapping[str, Any], begun: int, places: int | None) -> int:
    """`max_new_tokens`, or what `max_length` leaves; 20 where neither is said, as in transformers. `places`: how many
    tokens a decoder has positions for, where it says so."""
    said = asked.get("max_new_tokens") or (asked["max_length"] - begun if asked.get("max_length") else 20)
    if said < 1:
        why = f"The prompt has {begun} tokens."
        raise RequestError("There is no room for a new token.", why, "Give max_new_tokens, or a larger max_length.")
    if places and begun + said > places:
        why = f"The model has {places} positions, and the prompt takes {begun}."
        raise RequestError(f"There is no room for {said} new tokens.", why, "Give a smaller max_new_tokens.")
    return int(said)


def _array(tensor: torch.Tensor) -> Any:
    """In host memory; half precisions, some of which numpy does not know, as float32."""
    import torch

    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() and tensor.dtype != torch.float32 else tensor).numpy()
