"""A CLIP of a given size with random weights, for scripts that measure time or memory of training it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mmdemo.models.encoders.efficientnet_minilm import TEXT_PACKAGE, package_folder


def save_clip(width: int, layers: int, text_width: int, text_layers: int, folder: Path | None = None) -> Path:
    """A CLIP with 32-pixel patches of 224 x 224 pictures, in a folder that `from_pretrained` loads.

    Its texts are in MiniLM's tokens, so that nothing is downloaded.
    """
    import torch
    from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessor, CLIPModel

    folder = folder or Path(tempfile.mkdtemp(prefix="clip-"))
    tokenizer = AutoTokenizer.from_pretrained(str(package_folder(TEXT_PACKAGE) / "model"))
    torch.manual_seed(0)
    vision = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    text = {"hidden_size": text_width, "intermediate_size": 4 * text_width, "num_hidden_layers": text_layers}
    config = CLIPConfig(
        vision_config=vision | {"num_attention_heads": width // 64, "patch_size": 32, "image_size": 224},
        text_config=text
        | {
            "num_attention_heads": text_width // 64,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "eos_token_id": tokenizer.sep_token_id,
        },
        projection_dim=512,
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder
