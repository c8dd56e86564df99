"""Heads that learn side by side and become one."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmdemo.errors import UserError
from mmdemo.models.heads.residual import HeadShape, Projection, ResidualHead
from mmdemo.models.heads.saved import load_head
from mmdemo.service.app import App
from mmdemo.store.cards import read_card
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.trainables.head import merged, new_head, train_head
from mmdemo.training.trainables.side_by_side import ByteDropout, SideBySide
from tests.conftest import TASK, execute_run
from tests.training.test_runs import execute, without_worker
from tests.training.test_training import CPU, label_samples, toy

SHAPE = HeadShape(20, 8, hidden=6)


def learned(members: int = 5) -> SideBySide:
    """Heads whose every weight is something."""
    torch.manual_seed(0)
    heads = SideBySide(SHAPE, members, 10.0)
    for weight in heads.parameters():
        weight.data = weight.data + 0.3 * torch.randn_like(weight)
    heads.standardise(torch.randn(50, 20) * 2 + 1)
    return heads.eval()


def alone(heads: SideBySide, member: int) -> ResidualHead:
    """One of them by itself."""
    head, h, d = ResidualHead(SHAPE), SHAPE.hidden, SHAPE.dim
    head.load_state_dict(
        {
            "mean": heads.mean,
            "std": heads.std,
            "media.1.weight": heads.hidden.weight[member * h : (member + 1) * h],
            "media.1.bias": heads.hidden.bias[member * h : (member + 1) * h],
            "media_out.weight": heads.media_out[member].T,
            "media_out.bias": heads.media_bias[member, 0],
            "text.weight": heads.text.weight[member * d : (member + 1) * d],
            "log_scale": heads.log_scale[member],
            "bias": heads.bias[member],
        }
    )
    return head.eval()


def test_each_of_several_heads_gives_the_vectors_that_it_would_give_alone() -> None:
    heads, features, texts = learned(), torch.randn(7, 20), torch.randn(4, 8)
    for member in range(5):
        one = alone(heads, member)
        assert torch.allclose(heads.project_media(features)[member], one.project_media(features), atol=1e-6)
        assert torch.allclose(heads.project_text(texts)[member], one.project_text(texts), atol=1e-6)


def test_the_merged_head_adds_the_mean_of_what_they_add() -> None:
    heads, features, texts = learned(), torch.randn(7, 20), torch.randn(4, 8)
    every = [alone(heads, i) for i in range(5)]
    added = torch.stack([h.media_out(h.media((features - h.mean) / h.std)) for h in every]).mean(0)
    media = normalize(normalize(features[:, :8], dim=1) + added, dim=1)
    text = normalize(texts + torch.stack([h.text(texts) for h in every]).mean(0), dim=1)
    one = heads.merged()
    assert one.shape.hidden == 30
    assert torch.allclose(one.project_media(features), media, atol=1e-6)
    assert torch.allclose(one.project_text(texts), text, atol=1e-6)


def test_what_several_heads_become_is_not_changed_by_what_they_learn_later() -> None:
    heads, features = learned(), torch.randn(7, 20)
    one = heads.merged()
    before = one.project_media(features)
    for weight in heads.parameters():
        weight.data.add_(1.0)
    assert torch.equal(one.project_media(features), before)


def test_untrained_heads_become_one_that_is_the_base_model() -> None:
    data = toy()
    heads = new_head(data, data.features, 8, TrainSettings(hidden=6), CPU)
    assert isinstance(heads, SideBySide)
    one, base = Projection(8, merged(heads)), Projection(8, None)
    assert np.allclose(one.media(data.features), base.media(data.features), atol=1e-6)
    assert np.allclose(one.text(data.texts), base.text(data.texts), atol=1e-6)


def test_several_heads_end_apart() -> None:
    data, settings = toy(), TrainSettings(epochs=3, hidden=6)
    *_, (_, head) = train_head(data, None, data.features, 8, settings, CPU)
    parts = head.media_out.weight.view(8, 5, 6)
    assert all(not torch.allclose(parts[:, 0], parts[:, i], atol=1e-4) for i in range(1, 5))


@pytest.mark.parametrize("kind", ["temporal", "concatenation", "cross-attention"])
def test_heads_that_cannot_be_merged_learn_alone_and_several_of_them_are_refused(kind: str) -> None:
    data = toy()
    assert isinstance(new_head(data, data.features, 8, TrainSettings(hidden=6, head=kind), CPU), ResidualHead)
    with pytest.raises(UserError, match=f"3 heads of the kind {kind} cannot be merged"):
        new_head(data, data.features, 8, TrainSettings(hidden=6, head=kind, members=3), CPU)


def test_a_card_says_how_many_heads_were_merged(app: App) -> None:
    label_samples(app, 20)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=1, hidden=6), "ask")
    done = execute_run(app, run_id)
    assert done.version_id
    folder = app.ws.version_folder(done.version_id)
    asked = read_card(folder)["settings"]
    assert (asked["members"], asked["hidden"], asked["dropout"]) == (5, 6, 0.3)
    assert load_head(folder).shape.hidden == 30


def test_a_run_from_before_heads_learned_side_by_side_goes_on_as_it_began(app: App) -> None:
    label_samples(app, 20)
    one = asdict(TrainSettings(epochs=2, hidden=6, dropout=0.5, members=1))
    run_id = create_run(app.ws, TASK, "head", TrainSettings(**one), "ask")
    assert execute(app, run_id, stop_after=1).status == "stopped"
    kept = app.ws.runs.get(run_id).settings
    app.ws.runs.update(run_id, settings={name: v for name, v in kept.items() if name != "members"})
    without_worker(app)
    app.context.jobs.resume(run_id)
    done = execute(app, run_id)
    assert done.status == "done" and done.version_id, done.message
    assert load_head(app.ws.version_folder(done.version_id)).shape.hidden == 6


def test_dropout_by_bytes_leaves_out_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer, ones = ByteDropout(0.3), torch.ones(5, 400, 301)
    seen = layer(ones)
    assert (seen == 0).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert seen.mean().item() == pytest.approx(1, abs=0.01)
    assert (seen == 0).float().mean((1, 2)) == pytest.approx([0.3] * 5, abs=0.01)  # of each member
    assert not torch.equal(seen[0] == 0, seen[1] == 0) and not torch.equal(seen, layer(ones))


def test_dropout_by_bytes_leaves_all_in_outside_of_training_and_where_its_share_is_nought() -> None:
    x = torch.randn(3, 5)
    assert torch.equal(ByteDropout(0.5).eval()(x), x) and torch.equal(ByteDropout(0.0)(x), x)


def test_dropout_by_bytes_passes_the_gradient_of_what_it_lets_through() -> None:
    torch.manual_seed(0)
    x = torch.randn(40, 9, requires_grad=True)
    seen = ByteDropout(0.5)(x)
    seen.sum().backward()
    assert (
        x.grad is not None and torch.equal(x.grad == 0, seen == 0) and set(x.grad.unique().tolist()) == {0, 2}
    )
