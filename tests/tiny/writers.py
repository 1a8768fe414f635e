"""A Llama of two layers that goes on with a text, and a T5 that answers one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import small
from tests.tiny.kind import Tiny

WORDS = list(dict.fromkeys([*small.GOOD, *small.BAD, *small.PLAIN]))
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
POSITIONS = 96


def tokenizer() -> Any:
    """Whole words; "<s>" before each text, which it does not end."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        padding_side="left", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def make_llama(folder: Path) -> Path:
    """Two heads share a key; weights large enough that what it writes depends on what was said."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(5)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=POSITIONS, initializer_range=0.4, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _texts(folder: Path) -> list[dict[str, Any]]:
    return [{"id": f"{number:064d}", "row": number, "text": text}
            for number, (text, _) in enumerate(small.texts(24), 1)]  # fmt: skip


def make_t5(folder: Path) -> Path:
    """Reads on both sides of a text, which "</s>" ends, and answers it."""
    import torch
    from tokenizers import processors
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(5)
    words = tokenizer()
    words.backend_tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 2)])
    words.padding_side = "right"
    config = T5Config(
        vocab_size=len(words), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_decoder_layers=2, num_heads=4,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=2, initializer_factor=4.0, tie_word_embeddings=False,
    )  # fmt: skip
    T5ForConditionalGeneration(config).eval().save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _answered(folder: Path) -> list[dict[str, Any]]:
    return [row | {"answer": " ".join(row["text"].split()[:3])} for row in _texts(folder)]


TINY = (Tiny("text-generation", make_llama, _texts), Tiny("text2text-generation", make_t5, _answered))
