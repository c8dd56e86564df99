"""Captioners learn from confirmed captions, are measured, activated and exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmdemo.errors import UserError
from mmdemo.evaluation.caption_scores import bleu4, caption_comparison
from mmdemo.models.captioning.transformers import HubCaptioner
from mmdemo.models.device import decide_compute
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.training.adapting import Method
from mmdemo.training.config import EpochRecord, TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.trainables.captioner import AdaptedCaptioner, Captioned
from mmdemo.training.trainables.texts import WriterLearning
from mmdemo.training.trainer import Trainer
from tests import checkpoints
from tests.conftest import execute_run

CPU = decide_compute("cpu")
RED = Image.new("RGB", (64, 48), "red")
KINDS = {
    "blip": checkpoints.save_blip,
    "git": checkpoints.save_git,
    "smolvlm": checkpoints.save_smolvlm,
}


def train(adapted: AdaptedCaptioner, examples: list[Captioned], settings: TrainSettings) -> list[EpochRecord]:
    return list(Trainer(WriterLearning(adapted, examples), settings, "full", CPU).epochs())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_captioner_learns_to_write_what_it_was_shown(kind: str, tmp_path: Path) -> None:
    adapted = AdaptedCaptioner(str(KINDS[kind](tmp_path / kind)), CPU, Method("full"))
    wanted = "a cat and a dog"
    examples = [Captioned(lambda: RED, wanted)] * 2
    settings = TrainSettings(epochs=60, batch=2, learning_rate=1e-2)
    losses = [r.loss for r in train(adapted, examples, settings)]
    assert losses[-1] < 0.1 * losses[0]
    adapted.save(tmp_path / "learned")
    words = HubCaptioner(str(tmp_path / "learned"), CPU).caption([RED])
    said = HubCaptioner(str(tmp_path / kind), CPU).processor.tokenizer(wanted, add_special_tokens=False)
    tokenizer = adapted.captioner.processor.tokenizer
    assert words == " ".join(tokenizer.decode(said.input_ids, skip_special_tokens=True).split())


def test_a_marked_mismatch_becomes_less_likely(tmp_path: Path) -> None:
    adapted = AdaptedCaptioner(str(checkpoints.save_git(tmp_path / "git")), CPU, Method("full"))
    right, wrong = Captioned(lambda: RED, "a cat"), Captioned(lambda: RED, "a dog", match=False)
    settings = TrainSettings(epochs=30, batch=2, learning_rate=1e-2)
    train(adapted, [right, wrong], settings)
    adapted.model.eval()
    with torch.inference_mode():
        losses = [adapted.loss([e]) for e in (right, Captioned(lambda: RED, "a dog"))]
    said, denied = (float(loss) / tokens for loss, tokens in losses)
    assert said + 0.3 < denied


def test_caption_scores_reward_what_people_wrote() -> None:
    assert bleu4("A cat on the mat today", ["a cat on the mat today"]) == pytest.approx(100.0)
    assert bleu4("a dog", ["a cat on a mat"]) < 30 < bleu4("a cat on a rug", ["a cat on a mat"])
    assert bleu4("", ["a cat"]) == 0.0
    found = caption_comparison(
        ["a dog", "a bird"],
        ["a cat on a mat", "a bird"],
        [["a cat on a mat", "some cat"], ["a bird"]],
        (np.array([0.1, -0.2]), np.array([0.3, 0.2])),
    )
    assert found["before"]["CLIPScore"] == 12.5 and found["after"]["CLIPScore"] == 62.5
    assert found["after"]["BLEU-4"] == 100.0 and found["gains"]["CLIPScore"]["gain"] == 50.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["blip", "smolvlm"])
def test_a_captioner_is_chosen_fine_tuned_by_lora_then_in_full_activated_and_exported(
    kind: str, tmp_path: Path, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.training.recipes.captions.MEASURED", 6)
    app = make_app()
    with pytest.raises(UserError, match="No captioner is active"):
        app.training.start("captioning", "lora", {}, "ask")
    for pair in [p for p in app.ws.pairs.browse("image-text") if p.split == "train"][:6]:
        app.ws.labels.add(pair.id, NewLabel("match"))
    item = app.ws.items.listed("image", limit=1)[0]
    assert app.caption(item)["captions"][0]["source"] != "written"
    app.versions.choose_model("captioning", str(KINDS[kind](tmp_path / kind)))
    said = [app.caption(item)["captions"][0]]
    assert said[0]["source"] == "written"
    with pytest.raises(UserError, match="cannot be trained by the method 'head'"):
        create_run(app.ws, "captioning", "head", TrainSettings(), "ask")
    # captions are measured by the aligner that answers here, within the memory that all models share
    monkeypatch.setattr(
        "mmdemo.models.manager.load_towers", lambda *asked: pytest.fail("it was loaded again")
    )
    for method in ("lora", "full"):
        settings = TrainSettings(epochs=2, batch=4, learning_rate=1e-2)
        run_id = create_run(app.ws, "captioning", method, settings, "ask")
        done = execute_run(app, run_id)
        assert done.status == "done" and done.version_id, done.message
        scores = app.context.jobs.status(run_id)["captions"]
        assert scores["pictures"] == 6 and set(scores["gains"]) == {"BLEU-4", "CLIPScore"}
        app.versions.activate(done.version_id)
        said.append(app.caption(item)["captions"][0])
        assert said[-1]["text"] != said[-2]["text"]
    assert app.context.jobs.list("image-text")[0]["run"] == done.id  # shown where pictures are
    out = app.versions.export(done.version_id, tmp_path / "out")["path"]
    again = HubCaptioner(out, CPU)
    assert again.caption([app.pictures.picture(item)]) == said[-1]["text"]
    assert "| BLEU-4 |" in (Path(out) / "README.md").read_text()
    app.versions.choose_model("captioning", "proposed")
    assert app.caption(item)["captions"][0]["source"] != "written"
