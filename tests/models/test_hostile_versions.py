"""Folders of versions, as a stranger's backup may hold them: nothing in them is believed that names other
things to load, or asks for more than their weights hold.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mmdemo.errors import StorageError, UserError
from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.text_config import plain_text_config, text_network
from mmdemo.models.encoders.two_towers import load_pair, read_spec
from mmdemo.models.heads.saved import load_head
from mmdemo.models.hub.loading import load_adapter, load_config
from tests import checkpoints

BERT = {"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 12, "vocab_size": 99}
LOADS_ANOTHER: list[dict[str, Any]] = [
    {"model_type": "timm_wrapper", "architecture": "hf-hub:them/theirs"},
    {
        "model_type": "timm_wrapper",
        "architecture": "resnet10t",
        "model_args": {"checkpoint_path": "/dev/zero"},
    },
    {"model_type": "timm_backbone", "backbone": "hf-hub:them/theirs"},
    {"model_type": "dpt", "backbone": "them/theirs"},
    {"model_type": "detr", "backbone": "hf-hub:them/theirs", "use_timm_backbone": True},
]


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks the Hub, or makes a network of timm, fails in words of ours."""

    def asked(*args: Any, **how: Any) -> None:
        pytest.fail(f"{args} was asked for")

    monkeypatch.setattr("timm.create_model", asked)
    monkeypatch.setattr("huggingface_hub.file_download.hf_hub_download", asked)


def save_spec(folder: Path, **more: Any) -> Path:
    """A pair whose weights are empty, and what it says of itself."""
    folder.mkdir()
    spec = {"media": "cnn", "text": "them/theirs", "modality": "image", "feature_dim": 512}
    (folder / "towers.json").write_text(json.dumps(spec | more))
    save_file({}, folder / "model.safetensors")
    return folder


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("values", [*LOADS_ANOTHER, None, {}, {"model_type": ["bert"]}, {"model_type": "x"}])
def test_a_pair_in_a_backup_takes_no_text_tower_that_loads_another(tmp_path: Path, values: Any) -> None:
    folder = save_spec(tmp_path / "network", text_config=values)
    with pytest.raises(
        UserError, match=r"no text encoder that a pair of towers takes.*Choose one of these: a"
    ):
        load_pair(str(folder), "image", decide_compute("cpu"))


def test_of_a_text_tower_s_configuration_only_its_own_numbers_and_words_are_taken() -> None:
    named = {
        "attn_implementation": "kernels-community/theirs",
        "_attn_implementation": "them/kernel",
        "auto_map": {"AutoModel": "them/theirs--modeling.Evil"},
        "quantization_config": {"quant_method": "theirs"},
        "backbone": "them/theirs",
        "_name_or_path": "them/theirs",
        "dtype": "theirs",
    }
    assert plain_text_config(BERT | named, "x") == BERT
    assert text_network(BERT | named, "x").config._attn_implementation in ("eager", "sdpa")
    for odd in ({"hidden_act": "g" * 41}, {"num_hidden_layers": 100_000}, {"hidden_size": [[[[7]]]]}):
        with pytest.raises(UserError, match=f"^The configuration of x has an odd {next(iter(odd))}"):
            text_network(BERT | odd, "x")


@pytest.mark.parametrize("kind", ["modernbert", "distilbert", "nomic_bert", "bert"])
def test_what_transformers_says_of_an_encoder_makes_it_again(kind: str) -> None:
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(kind)
    with torch.device("meta"):
        again, first = text_network(config.to_dict(), kind), AutoModel.from_config(config)
    assert {n: t.shape for n, t in again.state_dict().items()} == {
        n: t.shape for n, t in first.state_dict().items()
    }


def test_a_network_that_is_no_text_encoder_is_refused_before_it_is_a_tower(tmp_path: Path) -> None:
    folder = checkpoints.save_clip(tmp_path / "clip")
    with pytest.raises(UserError, match="is no text encoder that a pair of towers takes"):
        read_spec(f"cnn+{folder}")


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("values", LOADS_ANOTHER)
def test_no_configuration_in_a_folder_names_another_network(tmp_path: Path, values: dict[str, Any]) -> None:
    for name, config in {"flat": values, "deep": {"model_type": "clip", "vision_config": values}}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        with pytest.raises(UserError, match=r"config\.json names another network"):
            load_config(str(tmp_path / name))


@pytest.mark.parametrize("kind", ["residual", "temporal", "cross-attention", "none"])
def test_a_head_is_no_larger_than_its_weights(tmp_path: Path, kind: str) -> None:
    for odd in ({"hidden": 10**12}, {"feature_dim": 10**12}, {"dim": 10**7}, {"hidden": "wide"}):
        shape = {"feature_dim": 1664, "dim": 384, "hidden": 4, "kind": kind} | odd
        (tmp_path / "head.json").write_text(json.dumps(shape))
        save_file({}, tmp_path / "head.safetensors")
        with pytest.raises(StorageError, match="cannot be read"):
            load_head(tmp_path)


@pytest.mark.parametrize(
    "odd",
    [
        {"text_config": BERT | {"vocab_size": 10**11}},
        {"text_config": BERT | {"hidden_size": 12 * 10**7}},
        {"dim": 10**11, "text_config": BERT},
        {"media": "timm/vit_giant_patch14_dinov2", "text_config": BERT},
    ],
)
def test_a_pair_is_no_larger_than_its_weights(
    tmp_path: Path, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.models.encoders.two_towers.load_tokenizer", lambda folder: "words")
    with pytest.raises(StorageError, match=r"do not fit: .* is not there in model\.safetensors, and"):
        load_pair(str(save_spec(tmp_path / "network", **odd)), "image", decide_compute("cpu"))


@pytest.mark.parametrize("px", [0, 100_000, "x"])
def test_a_pair_s_pictures_have_a_side_that_there_is(tmp_path: Path, px: Any) -> None:
    with pytest.raises(UserError, match="does not describe a pair of towers"):
        read_spec(str(save_spec(tmp_path / "network", text="rnn", px=px)))


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"r": 10**9}, "asks for a rank that its weights do not have"),
        ({"rank_pattern": {"q": 10**9}}, "asks for a rank that its weights do not have"),
        ({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 10**9}, "it is not LoRA"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "an odd megatron_config"),
        ({"layer_replication": [[0, 10**9]]}, "an odd layer_replication"),
        ({"init_lora_weights": "pissa"}, "an odd init_lora_weights"),
    ],
)
def test_an_adapter_is_lora_as_wide_as_its_weights(tmp_path: Path, odd: dict[str, Any], says: str) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8} | odd))
    save_file({"lora_A": torch.zeros(8, 32)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(StorageError, match=says):
        load_adapter(torch.nn.Linear(32, 32), str(tmp_path))
