"""Features and vectors: made once for each item and tower, carried into each version's space, kept on disk.

Decoding runs on threads of its own, a few batches ahead of the network, so that neither waits for the other;
JPEGs are decoded no larger than the network needs.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from mmdemo.errors import DataError, MmdemoError
from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.media.regular_file import require_file
from mmdemo.modality import MODALITIES, modality_of
from mmdemo.models.aligner import HeadAligner, Towers, encode_texts
from mmdemo.models.fused_aligner import FusedInput
from mmdemo.models.protocols import MediaTower
from mmdemo.models.speech.recogniser import WINDOW_S, WINDOWS, EncoderStates
from mmdemo.retrieval.encode_stream import BATCH, encode_stream, feature_of
from mmdemo.settings import MAX_FILE_MB, Settings
from mmdemo.store.kept_arrays import read_arrays
from mmdemo.store.tables import Item
from mmdemo.store.texts import text_id
from mmdemo.store.vectors import VectorFile
from mmdemo.store.workspace import Workspace

NONE = np.zeros(0, np.float32)  # no sound
HEARD_S = WINDOW_S * WINDOWS  # of a longer recording the first two minutes make its vector
_guard = threading.Lock()  # of what follows
_making: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()  # one for each that is being heard
Progress = Callable[[int, int], None]  # done, of how many
PROJECT = 16_384  # rows carried into a version's space at once


def feature_file(ws: Workspace, towers: Towers) -> VectorFile:
    """(N, F) float16 features of the media tower, by item id."""
    return ws.vectors(towers.media.id, towers.media.feature_dim, np.float16)


def version_file(ws: Workspace, aligner: HeadAligner) -> VectorFile:
    """(N, D) float32 vectors of a version, by item id."""
    return ws.vectors(f"version-{aligner.version}", aligner.dim)


def text_vectors(ws: Workspace, towers: Towers, texts: Sequence[str]) -> np.ndarray:
    """(N, D) float32 vectors of the text tower, before any head; each text is encoded once in its life."""
    file = ws.vectors(towers.text.id, towers.text.dim)
    keys = [text_id(t) for t in texts]
    text_of = dict(zip(keys, texts, strict=True))
    missing = file.missing(keys)
    for start in range(0, len(missing), 1024):
        part = missing[start : start + 1024]
        file.append(part, encode_texts(towers.text, [text_of[key] for key in part]))
    return (
        file.get(keys, lambda key: f"“{text_of[key][:60]}”")
        if keys
        else np.empty((0, towers.text.dim), np.float32)
    )


def decode_file(tower: MediaTower, source: bytes | Path, settings: Settings | None = None) -> Any:
    """A file that is no item, decoded for the tower.

    Raises:
        MediaError: it cannot be read.
    """
    if isinstance(source, Path):
        require_file(source, settings.max_file_mb if settings else MAX_FILE_MB)
    return MODALITIES.get(tower.modality).decode(tower, source, settings)


def load_medium(ws: Workspace, tower: MediaTower, item: Item) -> Any:
    """What the tower takes, of an item: a decoded picture, the encoder states of a recording, the frame
    features of a video.

    Raises:
        MediaError: the file cannot be read.
    """
    modality = MODALITIES.get(tower.modality)
    if modality.load is not None:
        return modality.load(ws, tower, item)
    return modality.decode(tower, ws.media_path(item), ws.settings)


CELLS = "cells"  # a vector file of a tower: the features of the parts of its media


def cell_features(ws: Workspace, tower: MediaTower, items: Sequence[Item]) -> np.ndarray:
    """(N, T, F) float16 features of the parts of items, each made once; the whole's must be on disk."""
    count = int(getattr(tower, "cell_count", 0))
    own = ws.vectors(tower.id, tower.feature_dim, np.float16)
    if not count:
        return own.get([item.id for item in items], {i.id: i.name for i in items}.__getitem__)[:, None]
    file = ws.vectors(f"{tower.id}-{CELLS}", count * tower.feature_dim, np.float16)
    wanted = set(file.missing([item.id for item in items]))
    todo = {item.id: item for item in items if item.id in wanted}

    def load(item: Item) -> Any:
        return tower.prepare(load_medium(ws, tower, item))

    with ThreadPoolExecutor(2, thread_name_prefix="decode") as pool:
        rest = list(todo.values())
        for start in range(0, len(rest), BATCH):
            part = rest[start : start + BATCH]
            made = np.asarray(tower.cells(list(pool.map(load, part))))  # type: ignore[attr-defined]
            named = [feature_of(tower, item) for item in part]
            require_finite(made, named.__getitem__, CURE_OF_MODEL)
            file.append([item.id for item in part], made.reshape(len(part), -1))
    name_of = {item.id: item.name for item in items}.__getitem__
    return file.get([item.id for item in items], name_of).reshape(len(items), count, tower.feature_dim)


def looked_at(ws: Workspace, aligner: HeadAligner, item: Item) -> Any:
    """What an aligner that looks at pairs takes of an item: as `load_medium`, or what is kept of it."""
    if not aligner.fuses:
        return load_medium(ws, aligner.towers.media, item)
    features = feature_file(ws, aligner.towers).get([item.id])[0]
    return FusedInput(cell_features(ws, aligner.towers.media, [item])[0], features)


def encoder_states(ws: Workspace, tower: Any, item: Item) -> EncoderStates:
    """A recording's encoder states and its language, computed once and kept in cache/states, 40 kB a second
    of sound. Those of a time when every language was taken for English, or a word by itself was heard
    otherwise, are made again. Threads that want the same at once wait for the first of them.
    """
    path = ws.made.path(f"states/{tower.id}", item.id, ".npz")
    if states := _kept_states(path, tower):
        return states
    with _guard:
        turn = _making.setdefault(path, threading.Lock())
    with turn:
        return _kept_states(path, tower) or _heard_anew(ws, tower, item, path)


def _kept_states(path: Path, tower: Any) -> EncoderStates | None:
    if not (kept := read_arrays(path)):
        return None
    named = [name for name in kept if name.startswith("window")]
    windows = tuple(kept[f"window{i}"] for i in range(len(named)))
    language = str(kept["language"]) if "language" in kept else None
    if language is None and tower.recogniser.multilingual:
        return None
    language = tower.recogniser.language(NONE) if language is None else language
    lead_s = float(kept["lead_s"]) if "lead_s" in kept else 0.0
    states = EncoderStates(windows, str(kept["heard"]), language, lead_s)
    return None if states.heard and states.is_word and lead_s != tower.recogniser.lead_s else states


def _heard_anew(ws: Workspace, tower: Any, item: Item, path: Path) -> EncoderStates:
    made: EncoderStates = tower.prepare(decode_file(tower, ws.media_path(item)))
    states = _finite(made, item)
    out = io.BytesIO()
    facts = {"heard": states.heard, "language": states.language, "lead_s": states.lead_s}
    arrays: dict[str, Any] = {name: np.array(fact) for name, fact in facts.items()}
    np.savez(out, **arrays | {f"window{i}": window for i, window in enumerate(states.windows)})
    ws.made.write(path, item.id, out.getvalue(), f"What was heard in {item.name}")
    return states


def spoken_language(ws: Workspace, tower: Any, item: Item) -> str:
    """The language of a recording, as ISO 639-1, heard once; empty where nobody speaks in the first minutes.

    Args:
        ws: the workspace.
        tower: whose recogniser hears it; one that knows a single language hears that.
        item: the recording.
    """
    one_only = not tower.recogniser.multilingual
    return str(tower.recogniser.language(NONE) if one_only else encoder_states(ws, tower, item).language)


def _finite(states: EncoderStates, item: Item) -> EncoderStates:
    """The states of a recording, which are numbers."""
    for window in states.windows:
        require_finite(window[None], f"What the recogniser makes of {item.name}", CURE_OF_MODEL)
    return states


def embed_items(
    ws: Workspace,
    towers: Towers,
    items: Sequence[Item],
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Make the features that are not on disk yet; returns how many were made. Can be stopped at any batch."""
    file = feature_file(ws, towers)
    wanted = set(file.missing([item.id for item in items]))
    todo = [item for item in items if item.id in wanted]
    made = 0
    at_once = MODALITIES.get(towers.media.modality).at_once
    for batch, features in encode_stream(
        towers.media, lambda item: load_medium(ws, towers.media, item), todo, at_once
    ):
        file.append([item.id for item in batch], features)
        made += len(batch)
        if progress is not None:
            progress(made, len(todo))
        if stopped():
            break
    return made


def require_features(ws: Workspace, tower: MediaTower, item: Item) -> None:
    """Say why an item has no features though they were to be made.

    Raises:
        DataError: what is wrong with it.
    """
    try:
        features = tower.encode([tower.prepare(load_medium(ws, tower, item))])
        with np.errstate(over="ignore"):
            require_finite(features.astype(np.float16), feature_of(tower, item), CURE_OF_MODEL)
    except MmdemoError as e:
        raise DataError(f"{item.name} cannot be learned from: {e.what}", e.cure) from e
    raise DataError(f"{item.name} has no features.", "Start again.")


def media_vectors(
    ws: Workspace, aligner: HeadAligner, places: Sequence[tuple[str, float | None, float | None]]
) -> np.ndarray:
    """(N, D) vectors of items or, where those have texts of their own, of spans; their features are on disk.

    A place is an item with start and end in seconds, open where None.
    """
    spans = modality_of(aligner.task).spans
    if spans is not None:
        return aligner.project_spans(spans.parts(ws, aligner.towers.media.id, places))
    return aligner.project_media(feature_file(ws, aligner.towers).get([item for item, _, _ in places]))


def project_items(
    ws: Workspace, aligner: HeadAligner, ids: Sequence[str], progress: Progress | None = None
) -> int:
    """Carry features that are on disk into a version's space; returns how many rows were made."""
    source, target = feature_file(ws, aligner.towers), version_file(ws, aligner)
    todo = target.missing(ids)
    lacking = set(source.missing(todo)) if todo else set()
    todo = [key for key in todo if key not in lacking]
    for start in range(0, len(todo), PROJECT):
        part = todo[start : start + PROJECT]
        target.append(part, aligner.project_media(source.get(part)))
        if progress is not None:
            progress(min(start + PROJECT, len(todo)), len(todo))
    return len(todo)
