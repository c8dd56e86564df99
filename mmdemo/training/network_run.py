"""A LoRA or full run of a dual encoder, from its snapshot to a version with towers of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mmdemo.models.aligner import Towers
from mmdemo.models.device import decide_compute
from mmdemo.models.dual import DualEncoder, DualTextTower, stacked
from mmdemo.models.manager import ADAPTER, NETWORK, base_calibration, load_towers, version_source
from mmdemo.models.presets import Preset
from mmdemo.retrieval.embed import decode_file
from mmdemo.retrieval.metrics import codes, evaluate_retrieval
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.store.tables import Run
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.contrastive import Inputs
from mmdemo.training.dataset import Example, Snapshot, load_arrays, prepare_features
from mmdemo.training.evaluate import calibrate, comparison
from mmdemo.training.evaluation import head_of, retrieval_with
from mmdemo.training.loop import EpochRecord, settings_from_json
from mmdemo.training.network import train_network
from mmdemo.training.outcome import add_version, finish_run, version_of
from mmdemo.training.progress import append_progress

RANK, ALPHA = 16, 32  # of LoRA's thin matrices, and their weight
TARGETS = r".*\.(q_proj|v_proj|query|value|qkv)"  # the queries and values of every family's attention
CHECKED = 10  # one pair in so many is kept off training, to choose the best epoch by
LEAST_CHECKED = 5  # pairs, below which no epoch is chosen
PREPARED_AT_ONCE = 4


class PairSource:
    """Pairs of a workspace, decoded and tokenised when they are asked for.

    Args:
        ws: the workspace.
        encoder: whose processor and tokeniser.
        examples: the pairs.
    """

    def __init__(self, ws: Workspace, encoder: DualEncoder, examples: Sequence[Example]) -> None:
        self._ws = ws
        self._encoder = encoder
        self._examples = list(examples)
        self._items = ws.items.of(sorted({e.item for e in examples}))
        self.matches: Sequence[bool] = [e.match for e in examples]
        self._media = torch.from_numpy(codes([e.medium for e in examples]))
        self._texts = torch.from_numpy(codes([text_key(e.text) for e in examples]))
        self._pool = ThreadPoolExecutor(PREPARED_AT_ONCE, thread_name_prefix="prepare")

    def inputs(self, rows: Sequence[int]) -> Inputs:
        """The pairs of those rows."""
        chosen = [self._examples[i] for i in rows]
        media = list(self._pool.map(self._prepared, chosen))
        return Inputs(
            stacked(media),
            self._encoder.tokens([e.text for e in chosen]),
            torch.tensor([e.match for e in chosen]),
            self._media[list(rows)],
            self._texts[list(rows)],
        )

    def _prepared(self, example: Example) -> dict[str, Any]:
        tower = self._encoder.as_tower()
        return tower.prepare(decode_file(tower, self._ws.media_path(self._items[example.item])))


def execute_network(
    ws: Workspace, run: Run, towers: Callable[[], Towers], progress: Callable[[EpochRecord], None] | None
) -> None:
    """Train, measure retrieval before and after, write the version."""
    folder = ws.run_folder(run.id)
    snapshot = Snapshot.load(folder / "snapshot.json")
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    preset = version_source(ws, run.parent).preset
    settings = settings_from_json(run.settings)

    def stopped() -> bool:
        return (folder / "stop").exists()

    def told(message: str) -> None:
        ws.runs.update(run.id, message=message)

    encoder = DualEncoder(preset.media_tower, compute, "" if run.method == "lora" else preset.adapter)
    _let_learn(encoder, run.method, preset.adapter, settings.seed)
    train, checked = _apart(snapshot.of(TRAIN))
    record: EpochRecord | None = None
    with append_progress(folder) as write:
        for record in train_network(
            encoder,
            PairSource(ws, encoder, train),
            settings,
            run.method,
            compute,
            folder / "state",
            stopped,
            told,
            _recall(ws, encoder, preset, checked) if checked else None,
        ):
            write(record)
            if progress is not None:
                progress(record)
    if record is None:
        ws.runs.update(run.id, status="stopped", message="Stopped before the first epoch was done.")
        return
    was_stopped = stopped()
    after_preset = _save(ws, run, preset, encoder)
    del encoder
    after, _ = load_towers(after_preset, ws.settings)
    measured = snapshot.of(HELD_OUT, match=True)
    before = retrieval_with(ws, preset, towers, head_of(ws, run.parent), measured)
    reached = retrieval_with(ws, after_preset, lambda: after, None, measured)
    result = comparison(before, reached, measured) | {
        "seconds": record.seconds,
        "trained_on": {
            "match": sum(e.match for e in train),
            "mismatch": sum(not e.match for e in train),
            "held_out": len(measured),
        },
    }
    held_out = snapshot.of(HELD_OUT)
    prepare_features(ws, after_preset, held_out, lambda: after)
    pairs = load_arrays(ws, after_preset, held_out)
    calibration = calibrate(None, pairs, preset.dim, base_calibration(preset))
    add_version(ws, run, preset, snapshot, result, calibration)
    better = bool(measured) and reached.mean_recall > before.mean_recall
    finish_run(ws, run, result, better=better, measured=bool(measured), stopped=was_stopped)


def _let_learn(encoder: DualEncoder, method: str, adapter: str, seed: int) -> None:
    """Make the parameters of a method require gradients."""
    torch.manual_seed(seed)
    if method == "full":
        encoder.network.requires_grad_(True)
    else:
        from peft import LoraConfig, PeftModel, get_peft_model

        if adapter:
            encoder.network = PeftModel.from_pretrained(encoder.network, adapter, is_trainable=True)
        else:
            shape = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules=TARGETS)
            encoder.network = get_peft_model(encoder.network, shape)
        encoder.network.to(encoder.compute.device)
    if encoder.compute.device.type == "cuda" and encoder.network.supports_gradient_checkpointing:
        encoder.network.gradient_checkpointing_enable()  # activations are computed again: less memory


def _apart(examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """What to train on, and some matches of other items to choose the best epoch by."""
    items = sorted({e.item for e in examples})
    chosen = set(items[::CHECKED])
    checked = [e for e in examples if e.item in chosen and e.match]
    if len(checked) < LEAST_CHECKED:
        return examples, []
    return [e for e in examples if e.item not in chosen], checked


def _recall(
    ws: Workspace, encoder: DualEncoder, preset: Preset, examples: Sequence[Example]
) -> Callable[[], float]:
    """Measures the mean recall, in percent, of the encoder as it is then."""
    tower, texts = encoder.as_tower(), DualTextTower(preset, encoder)
    items = ws.items.of(sorted({e.item for e in examples}))
    media = [tower.prepare(decode_file(tower, ws.media_path(items[e.item]))) for e in examples]
    ids = [e.medium for e in examples], [text_key(e.text) for e in examples]

    def found() -> float:
        text = texts.encode([e.text for e in examples])
        return evaluate_retrieval(tower.encode(media), text, *ids).mean_recall

    return found


def _save(ws: Workspace, run: Run, preset: Preset, encoder: DualEncoder) -> Preset:
    """Write what was learned into the version's folder; returns the preset that loads it."""
    target = ws.version_folder(version_of(run))
    if run.method == "lora":
        encoder.network.save_pretrained(target / ADAPTER, safe_serialization=True)
        return replace(preset, adapter=str(target / ADAPTER), adapter_of=version_of(run))
    save_encoder(encoder, target / NETWORK)
    return replace(preset, media_tower=str(target / NETWORK), adapter="", adapter_of=version_of(run))


def save_encoder(encoder: DualEncoder, folder: Path) -> None:
    """A folder that `from_pretrained` loads: weights as safetensors, tokeniser and processor."""
    for part in (encoder.network, encoder.tokenizer, encoder.processor):
        part.save_pretrained(folder)
