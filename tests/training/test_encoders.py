"""Encoders of transformers learn by LoRA and in full, and as their device allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mmdemo.errors import UserError
from mmdemo.models.device import Compute, reproducible
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.trainer import make_accelerator
from tests import checkpoints
from tests.conftest import drawing, execute_run
from tests.training.tiny import CPU

TASK = "image-text"


@pytest.mark.parametrize("method", ["lora", "full"])
def test_activations_that_are_computed_again_give_the_same_gradients(method: str, tmp_path: Path) -> None:
    from mmdemo.models.encoders.dual import DualEncoder
    from mmdemo.training.adapting import Method, let_learn

    folder = str(checkpoints.save_clip(tmp_path / "clip"))
    found = []
    for recompute in (False, True):
        encoder = DualEncoder(folder, CPU)
        encoder.network = let_learn(encoder.network, Method(method, recompute=recompute), CPU)
        encoder.network.train()
        for module in encoder.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        picture = encoder.prepared(Image.open(drawing("hen")))
        for name, p in encoder.network.named_parameters():
            if "lora_B" in name:
                nn.init.constant_(p, 0.01)  # zero at first, and then the other matrix learns nothing
        loss = (encoder.media(picture) + encoder.texts(encoder.tokens(["a hen"]))).square().sum()
        loss.backward()
        found.append({n: p.grad for n, p in encoder.network.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) > 4
    assert all(torch.allclose(found[0][n], found[1][n], atol=1e-6) for n in found[0])
    assert all(float(g.abs().max()) > 0 for n, g in found[0].items() if "lora_" in n)


def test_deterministic_algorithms_are_asked_for_only_while_a_run_wants_them() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with reproducible(True):
        assert torch.are_deterministic_algorithms_enabled()
        with reproducible(False):
            assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


FAMILIES = {
    "clip": checkpoints.save_clip,
    "siglip": checkpoints.save_siglip,
    "siglip2": checkpoints.save_siglip2,
    "blip": checkpoints.save_blip_retrieval,
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_dual_encoder_learns_by_lora_and_in_full_one_on_the_other(
    family: str, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    folder = FAMILIES[family](tmp_path / family)
    app = make_app(model=f"dual:{folder}", samples=False)
    names = [p.stem for p in sorted(drawing("x").parent.glob("*.jpg"))[:16]]
    items = [app.ws.add_media("image", drawing(n).read_bytes(), f"{n}.jpg", source="test") for n in names]
    for i, item in enumerate(items):
        with app.ws.database.write() as session:
            split = "held-out" if i % 4 == 0 else "train"
            pair, _ = app.ws.pairs.add(session, TASK, item.id, names[i], source="test", split=split)
            app.ws.labels.add_in(session, pair, NewLabel("match"))

    def both_vectors() -> np.ndarray:
        aligner = app.models.aligner(TASK)
        return np.concatenate(
            [aligner.encode_media([app.pictures.picture(items[0])]), aligner.encode_text(["a cat"])]
        )

    vectors = [both_vectors()]
    for method in ("lora", "full", "lora"):
        settings = TrainSettings(epochs=2, batch=6, learning_rate=1e-3)
        run_id = create_run(app.ws, TASK, method, settings, promote="ask")
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        assert done.result is not None and done.result["after"]["pairs"] == 4
        app.versions.activate(done.version_id)
        assert app.models.aligner(TASK).version == done.version_id
        vectors.append(both_vectors())
        assert not np.allclose(vectors[-1], vectors[-2], atol=1e-6)
    out = app.versions.export(app.ws.versions.active(TASK), tmp_path / "out")["path"]
    exported = load_towers(find_preset(f"dual:{out}"), app.settings)[0]
    picture = app.pictures.picture(items[0])
    assert np.allclose(exported.media.encode([picture]), vectors[-1][:1], atol=1e-5)
    assert "| text to media R@1 |" in (Path(out) / "README.md").read_text()
    with pytest.raises(UserError, match="is there already"):
        app.versions.export(app.ws.versions.active(TASK), Path(out))
    full = next(p for p in (app.ws.folder / "versions").glob("*/network"))
    assert (full / "model.safetensors").exists() and not list(full.glob("*.bin"))


@pytest.mark.slow
def test_clap_learns_in_full_from_labelled_sounds(tmp_path: Path, make_app: Callable[..., App]) -> None:
    folder = checkpoints.save_clap(tmp_path / "clap")
    app = make_app(speech_model=f"sounds:{folder}")
    for i, item in enumerate(app.ws.items.listed("audio", limit=10)):
        app.labels.add_on(item.id, f"sound number {i}", NewLabel("match"))
    item = app.ws.items.listed("audio", limit=1)[0]
    before = app.media.align(item, ["a bell"])["scores"][0]["similarity"]
    for method in ("lora", "full"):
        settings = TrainSettings(epochs=2, batch=4, learning_rate=1e-2)
        run_id = create_run(app.ws, "speech-text", method, settings, promote="ask")
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        app.versions.activate(done.version_id)
    assert app.media.align(item, ["a bell"])["scores"][0]["similarity"] != before


def test_a_device_without_bfloat16_trains_in_float32_and_one_with_it_keeps_it() -> None:
    device = torch.device("cpu")
    assert Compute(device, torch.float16).training == Compute(device, torch.float32)
    assert Compute(device, torch.bfloat16).training.dtype is torch.bfloat16
    assert make_accelerator(Compute(device, torch.float16).training).mixed_precision == "no"
