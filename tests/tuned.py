"""Versions that differ from their base and cost no training: heads with random weights."""

from __future__ import annotations

from dataclasses import asdict, replace

import torch

from mmdemo.models.calibration import Calibration, PairFit
from mmdemo.models.heads.residual import HeadShape
from mmdemo.models.heads.saved import make_head, save_head
from mmdemo.models.protocols import Task
from mmdemo.service.app import App
from mmdemo.store.cards import write_card
from mmdemo.store.tables import Version


def add_tuned(app: App, task: Task, version: str = "tuned-1", own: Calibration | None = None) -> str:
    """Add a version on the active one, whose vectors are others; returns its id.

    Args:
        app: the workspace.
        task: of the version.
        version: its id.
        own: what its similarities say of pairs, alone; None: what ships says it.
    """
    parent, base = app.ws.versions.active(task), app.models.aligner(task)
    torch.manual_seed(1)
    head = make_head(HeadShape(base.towers.media.feature_dim, base.dim, hidden=4))
    with torch.no_grad():
        torch.nn.init.normal_(head.media_out.weight, std=0.02)
        torch.nn.init.normal_(head.text.weight, std=0.02)
    folder = app.ws.version_folder(version)
    save_head(head, folder)
    fit = replace(PairFit.from_similarity(own), reliability=base.judge.fit.reliability) if own else None
    card = {"calibration": asdict(own or base.calibration), "fit": fit.as_json() if fit else None}
    write_card(folder, {"version": version} | card)
    known = app.ws.versions.get(parent)
    app.ws.versions.add(Version(id=version, task=task, base=known.base, parent=parent))
    return version
