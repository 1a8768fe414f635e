"""Two towers, a segmenter, a sound classifier and a speech recognizer: two layers each, and what they take."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from tests import small
from tests.tiny.classifiers import pictures, png
from tests.tiny.kind import Tiny

SIDE, CLASSES = 32, 4
RATE = 8000
GARMENTS = ("bag", "boot", "coat")
SAID = ("dog", "a cat", "the dog sat", "a cat ran", "the end")
MARKS = ("<|startoftranscript|>", "<|startofprev|>", "<|notimestamps|>")
LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ACDEGHNORST"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


# ---- models -------------------------------------------------------------------------------------


def make_clip(folder: Path) -> Path:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(5)
    tokenizer = clip_tokenizer()
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 12, "pad_token_id": 0, "bos_token_id": 2,
                    "eos_token_id": 3}  # fmt: skip
    config = CLIPConfig(text_config=text, vision_config=SMALL | {"image_size": SIDE, "patch_size": 16},
                        projection_dim=16)  # fmt: skip
    CLIPModel(config).eval().save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=SIDE).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_siglip(folder: Path) -> Path:
    """Fused, it has a product that ONNX Runtime refuses."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    torch.manual_seed(5)
    tokenizer = clip_tokenizer()
    text = SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 12, "pad_token_id": 0,
                    "projection_size": 32}  # fmt: skip
    config = SiglipConfig(text_config=text, vision_config=SMALL | {"image_size": SIDE, "patch_size": 16})
    SiglipModel(config).eval().save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def clip_tokenizer() -> Any:
    """Word by word, the prompt's words among them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "a", "photo", "of", "winter", *GARMENTS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[BOS] $A [EOS]", None, [("[BOS]", 2), ("[EOS]", 3)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", bos_token="[BOS]", eos_token="[EOS]",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def make_segformer(folder: Path) -> Path:
    """Its maps have an eighth of the picture's side."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

    torch.manual_seed(5)
    config = SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[7, 3],
        strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=32, num_labels=CLASSES,
        initializer_range=0.2,
    )  # fmt: skip
    SegformerForSemanticSegmentation(config).eval().save_pretrained(folder)
    SegformerImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def make_ast(folder: Path) -> Path:
    """Hears a spectrogram of a fixed size."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(5)
    config = ASTConfig(**SMALL, max_length=32, num_mel_bins=16, num_labels=3, initializer_range=0.2)
    ASTForAudioClassification(config).eval().save_pretrained(folder)
    ASTFeatureExtractor(num_mel_bins=16, max_length=32, sampling_rate=RATE).save_pretrained(folder)
    return folder


# A Wav2Vec2 of two layers: it hears samples, 80 a frame; a mask says which of them count.
WAVE: dict[str, Any] = SMALL | {
    "conv_dim": (16, 16), "conv_stride": (10, 8), "conv_kernel": (20, 12), "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2, "feat_extract_norm": "layer", "do_stable_layer_norm": True, "pad_token_id": 0,
    "initializer_range": 0.5,
}  # fmt: skip


def make_ctc(folder: Path) -> Path:
    import json

    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    torch.manual_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2ForCTC(Wav2Vec2Config(**WAVE, vocab_size=len(LETTERS))).eval().save_pretrained(folder)
    return _hears_samples(folder)


def make_wave(folder: Path) -> Path:
    """Classifies sounds of any length."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForSequenceClassification

    torch.manual_seed(5)
    config = Wav2Vec2Config(**WAVE, vocab_size=len(LETTERS), num_labels=3, classifier_proj_size=16)
    Wav2Vec2ForSequenceClassification(config).eval().save_pretrained(folder)
    return _hears_samples(folder)


def _hears_samples(folder: Path) -> Path:
    from transformers import Wav2Vec2FeatureExtractor

    Wav2Vec2FeatureExtractor(sampling_rate=RATE, return_attention_mask=True).save_pretrained(folder)
    return folder


def make_whisper(folder: Path) -> Path:
    """Hears a second at once and writes whole words; some it never writes, and one it does not begin with."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(17)  # so that what it writes differs from sound to sound, and ends
    words = whisper_tokenizer()
    config = WhisperConfig(
        vocab_size=len(words), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, num_mel_bins=16, max_source_positions=50,
        max_target_positions=300, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        init_std=0.4,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config).eval()
    marks = words.convert_tokens_to_ids(list(MARKS))
    model.generation_config = GenerationConfig(
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=[3, *marks],
        begin_suppress_tokens=[2], no_timestamps_token_id=marks[-1],
    )  # fmt: skip
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=16, chunk_length=1, sampling_rate=RATE, hop_length=80).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def whisper_tokenizer() -> Any:
    """Whole words, each with the blank before it, and the marks that stand around what Whisper writes."""
    from transformers import WhisperTokenizer

    from tests.tiny.writers import SPECIAL, WORDS

    every = [*SPECIAL, *(f"\u0120{word}" for word in WORDS), *MARKS]
    return WhisperTokenizer(
        vocab={word: number for number, word in enumerate(every)}, merges=[], pad_token=SPECIAL[0],
        bos_token=SPECIAL[1], eos_token=SPECIAL[2], unk_token=SPECIAL[3], additional_special_tokens=list(MARKS),
    )  # fmt: skip


# ---- rows ---------------------------------------------------------------------------------------


def wav(seed: int, seconds: float = 0.3, rate: int = RATE, channels: int = 1) -> bytes:
    """Two tones and some noise."""
    import soundfile

    chance = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * chance.uniform(100, 1000) * time) for _ in range(2))
    sound = 0.3 * np.asarray(tones) + 0.05 * chance.standard_normal(len(time))
    out = io.BytesIO()
    soundfile.write(out, np.repeat(sound[:, None], channels, axis=1), rate, format="WAV")
    return out.getvalue()


def sounds(count: int = 24) -> list[bytes]:
    """0.2 to 0.6 s, every third at twice the model's rate."""
    return [wav(n, 0.2 + 0.05 * (n % 9), RATE * (2 if n % 3 == 0 else 1)) for n in range(count)]


def mask(seed: int, size: tuple[int, int] = (40, 40)) -> bytes:
    """A PNG of class ids in four blocks, some of which do not count."""
    from PIL import Image

    blocks = np.random.default_rng(seed).choice([*range(CLASSES), 255], (2, 2)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    """Each with its "id" and "row"."""
    count = len(next(iter(columns.values())))
    return [{"id": f"{n:064d}", "row": n, **{name: values[n - 1] for name, values in columns.items()}}
            for n in range(1, count + 1)]  # fmt: skip


def _garments(folder: Path) -> list[dict[str, Any]]:
    return [row | {"label": GARMENTS[row["label"]]} for row in pictures(folder, len(GARMENTS))]


def _scenes(folder: Path) -> list[dict[str, Any]]:
    """The last picture is larger than the others."""
    sizes = [40] * 23 + [56]
    return rows(image=[png(n, size) for n, size in enumerate(sizes)],
                mask=[mask(n, (size, size)) for n, size in enumerate(sizes)])  # fmt: skip


def _noises(folder: Path) -> list[dict[str, Any]]:
    return rows(audio=sounds(), label=[n % 3 for n in range(24)])


def _speech(folder: Path) -> list[dict[str, Any]]:
    return rows(audio=sounds(), text=[SAID[n % len(SAID)] for n in range(24)])


# ---- as people have them -------------------------------------------------------------------------


def folder_of(folder: Path, files: dict[str, bytes], table: list[dict[str, Any]]) -> Path:
    """Files and the metadata.csv that lists them."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    small.write_rows(folder / "metadata.csv", table)
    return folder


def speech(folder: Path) -> Path:
    """Sounds with what is said in them."""
    files = {f"{n}.wav": sound for n, sound in enumerate(sounds())}
    table = [{"file_name": name, "transcription": SAID[n % len(SAID)]} for n, name in enumerate(files)]
    return folder_of(folder, files, table)


TINY = (
    Tiny("zero-shot-image-classification", make_clip, _garments, "zero-shot-clip"),
    Tiny("zero-shot-image-classification", make_siglip, _garments, "zero-shot-siglip"),
    Tiny("image-segmentation", make_segformer, _scenes),
    Tiny("audio-classification", make_ast, _noises, "sounds-ast"),
    Tiny("audio-classification", make_wave, _noises, "sounds-wave"),
    Tiny("automatic-speech-recognition", make_ctc, _speech, "speech-ctc"),
    Tiny("automatic-speech-recognition", make_whisper, _speech, "speech-whisper"),
)
