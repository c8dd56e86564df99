"""Small randomly initialised checkpoints of real architectures, saved to folders as the Hub has them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

LETTERS = "<pad> <s> </s> <unk> | E T A O N I H S R D L U M W C F G Y P B V K ' X J Q Z".split()  # noqa: SIM905


def save_whisper(folder: Path) -> Path:
    """A Whisper of two layers and 32 channels, with tiny.en's tokens."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    from mmdemo.models.speech import bundled_model

    torch.manual_seed(0)
    end = {"bos_token_id": 50256, "eos_token_id": 50256, "pad_token_id": 50256}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    config = WhisperConfig(
        vocab_size=51864, d_model=32, decoder_start_token_id=50257, **end, **heads, **sizes
    )
    model = WhisperForConditionalGeneration(config)
    facts = model.generation_config
    facts.is_multilingual, facts.no_timestamps_token_id = False, 50362
    facts.alignment_heads, facts.forced_decoder_ids = [[1, 0], [1, 1]], None
    facts.suppress_tokens, facts.begin_suppress_tokens = None, None
    model.save_pretrained(folder)
    WhisperTokenizerFast(tokenizer_file=f"{bundled_model()}/tokenizer.json").save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def save_ctc(folder: Path) -> Path:
    """A wav2vec 2.0 of 32 channels whose letters are its channels: state i says letter i."""
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
    )

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=32,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    model = Wav2Vec2ForCTC(config)
    with torch.no_grad():
        model.lm_head.weight.copy_(8 * torch.eye(32))
        model.lm_head.bias.zero_()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(LETTERS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
