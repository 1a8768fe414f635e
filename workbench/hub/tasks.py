"""What a model is for: read from its class, then from the Hub's tag, then asked of optimum."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from workbench.errors import RequestError
from workbench.hub.models import ModelInfo

BY_CLASS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMultipleChoice": "multiple-choice",
    "ForMaskedLM": "fill-mask",
    "WithLMHeadModel": "text-generation",
    "LMHeadModel": "text-generation",
    "ForCausalLM": "text-generation",
    "ForImageClassification": "image-classification",
    "ForImageClassificationWithTeacher": "image-classification",
    "ForSemanticSegmentation": "image-segmentation",
    "ForImageSegmentation": "image-segmentation",
    "ForUniversalSegmentation": "image-segmentation",
    "ForObjectDetection": "object-detection",
    "ForDepthEstimation": "depth-estimation",
    "ForImageSuperResolution": "image-to-image",
    "ForCTC": "automatic-speech-recognition",
    "ForSpeechSeq2Seq": "automatic-speech-recognition",
    "SpeechEncoderDecoderModel": "automatic-speech-recognition",
    "ForAudioClassification": "audio-classification",
    "VisionEncoderDecoderModel": "image-to-text",
    "MTModel": "text2text-generation",
    "Model": "feature-extraction",
}
SPEECH = ("whisper", "speech_to_text", "moonshine", "seamless_m4t", "kyutai_speech_to_text")
TEXT_TO_TEXT = ("t5", "mt5", "umt5", "longt5", "switch_transformers", "bart", "mbart", "mvp", "plbart", "led",
                "pegasus", "pegasus_x", "prophetnet", "blenderbot", "blenderbot-small", "m2m_100", "nllb-moe",
                "bigbird_pegasus", "encoder-decoder", "fsmt", "t5gemma")  # fmt: skip
PICTURE_TO_TEXT = ("blip", "blip-2", "git", "pix2struct", "vision-encoder-decoder")
SOUND = ("wav2vec2", "wav2vec2-bert", "wav2vec2-conformer", "hubert", "wavlm", "unispeech", "unispeech-sat", "sew",
         "sew-d", "data2vec-audio", "whisper")  # fmt: skip
TWO_TOWERS = (
    "align",
    "altclip",
    "chinese_clip",
    "clip",
    "metaclip_2",
    "siglip",
)  # pictures on one side, texts on the other
ONE_TOWER = ("TextModel", "VisionModel")
SYNONYMS = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "asr": "automatic-speech-recognition",
}
NOUNS = {
    "text-classification": "text classifier",
    "token-classification": "token classifier",
    "image-classification": "image classifier",
    "audio-classification": "sound classifier",
    "automatic-speech-recognition": "speech recognizer",
    "text-generation": "text generator",
    "text2text-generation": "model that answers a text with a text",
    "question-answering": "question answerer",
    "fill-mask": "masked language model",
    "object-detection": "object detector",
    "image-segmentation": "model that segments pictures",
    "zero-shot-image-classification": "model that matches pictures and texts",
    "feature-extraction": "model without a head (features only)",
    "sentence-similarity": "sentence model",
}
WITHOUT_HEAD = ("feature-extraction", "sentence-similarity")  # whatever head a model has, it can be left off
KNOWN = tuple(sorted({*BY_CLASS.values(), "image-text-to-text", "zero-shot-image-classification", *WITHOUT_HEAD}))

AskOptimum = Callable[[dict[str, Any]], str | None]


def infer_task(
    info: ModelInfo, asked: str | None = None, *, optimum: AskOptimum | None = None, added: Collection[str] = ()
) -> str:
    """The task of a model, in the Hub's words; `asked` is what the person said, checked against the class.

    `added` are tasks that the Hub need not know: whoever asks for one is believed, for no class tells of it.
    `optimum` runs `task_by_optimum` in another process and is asked last. Raises RequestError when nobody
    knows, and when the model's class is for another task than the one asked for.
    """
    by_class = task_of_class(info.config)
    if asked in added and asked not in KNOWN:
        return str(asked)
    if asked:
        wanted = _plain_name(asked, optimum)
        _refuse_other(info, by_class, wanted)
        return wanted
    found = by_class if by_class != "feature-extraction" else info.pipeline_tag or by_class
    found = "sentence-similarity" if _makes_sentences(info, by_class) else found or info.pipeline_tag
    if not found and optimum:
        found = optimum({"architectures": info.config.get("architectures") or []})
    if found:
        return found
    raise RequestError(
        f"The task of `{info.id}` is not known.", "Its class says nothing about it.",
        f"Say it with --task. Known: {', '.join(KNOWN)}.",
    )  # fmt: skip


def task_of_class(config: dict[str, Any]) -> str | None:
    """From `architectures` and `model_type` of config.json."""
    kind = str(config.get("model_type") or "")
    for name in config.get("architectures") or []:
        ending = next((end for end in sorted(BY_CLASS, key=len, reverse=True) if str(name).endswith(end)), None)
        if ending == "ForSequenceClassification" and kind in SOUND:
            return "audio-classification"
        if ending == "Model" and kind in TWO_TOWERS and not str(name).endswith(ONE_TOWER):
            return "zero-shot-image-classification"
        if ending:
            return BY_CLASS[ending]
        if str(name).endswith("ForConditionalGeneration"):
            return _conditional(kind)
    return None


def _conditional(kind: str) -> str:
    """…ForConditionalGeneration says only that text comes out; what goes in depends on the model type."""
    if kind in SPEECH:
        return "automatic-speech-recognition"
    if kind in TEXT_TO_TEXT:
        return "text2text-generation"
    return "image-to-text" if kind in PICTURE_TO_TEXT else "image-text-to-text"


def _makes_sentences(info: ModelInfo, by_class: str | None) -> bool:
    """By its tag, or, without one, by the modules that sentence-transformers writes; such models keep the class of the
    encoder they began as."""
    if by_class not in (None, "feature-extraction", "fill-mask"):
        return False
    said = info.pipeline_tag or ("sentence-similarity" if any(f.path == "modules.json" for f in info.files) else "")
    return said == "sentence-similarity"


def _plain_name(asked: str, optimum: AskOptimum | None) -> str:
    name = re.sub(r"[\s_]+", "-", asked.strip().lower())
    name = SYNONYMS.get(name, name)
    if name not in KNOWN and optimum:
        name = optimum({"task": name}) or name
    if name not in KNOWN:
        raise RequestError(f"There is no task called `{asked}`.", f"Known: {', '.join(KNOWN)}.", "Check the spelling.")
    return name


def _refuse_other(info: ModelInfo, by_class: str | None, wanted: str) -> None:
    if by_class in (None, wanted) or wanted in WITHOUT_HEAD:
        return
    name = (info.config.get("architectures") or ["?"])[0]
    is_one, no_one = NOUNS.get(str(by_class), f"model for {by_class}"), NOUNS.get(wanted, f"model for {wanted}")
    raise RequestError(
        f"`{info.id}` is a {is_one}, not a {no_one}.", f"Its class is {name}.",
        f"Use --task {by_class}, or take another model.",
    )  # fmt: skip


def task_by_optimum(job: dict[str, Any], channel: Any = None) -> str | None:
    """optimum's word for {"task": a synonym} or {"architectures": [class names of transformers]}, or None.

    Imports torch and transformers: run it in a process of its own.
    """
    import transformers
    from optimum.exporters.tasks import TasksManager

    if "task" in job:
        name = TasksManager.map_from_synonym(job["task"])
        return str(name) if name in TasksManager.get_all_tasks() else None
    for name in job["architectures"]:
        model_class = getattr(transformers, str(name), None)
        if isinstance(model_class, type):
            try:
                return str(TasksManager.infer_task_from_model(model_class))
            except ValueError:  # optimum does not know this class: the next one may be known
                continue
    return None
