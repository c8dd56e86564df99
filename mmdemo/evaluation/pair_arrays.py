"""What a run trains and measures on as arrays: the features of the examples of a snapshot, and what is known
of each pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmdemo.evaluation.metrics import codes
from mmdemo.labeling.snapshot import Example
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.heads.residual import Sequences
from mmdemo.models.judge import Grounds
from mmdemo.models.presets import LOADERS, Preset
from mmdemo.models.video.aligner import FrameFeatures
from mmdemo.retrieval.embed import (
    cell_features,
    embed_items,
    load_medium,
    require_features,
    text_id,
    text_vectors,
)
from mmdemo.retrieval.evidence import PairEvidence
from mmdemo.retrieval.hubness import bank_of, has_hubs
from mmdemo.retrieval.speech.sounds_alike import SoundIndex
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class AskedPairs:
    """What is known beside the shared space of any medium of N examples with any of their texts.

    It is asked for when it is needed: a recording takes a hundredth of a second for each text.
    """

    ask: Callable[[Sequence[str], Sequence[str]], np.ndarray]  # K media and K texts: (K, E) evidence
    decided: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of one query's answers, as HeadAligner.decided
    media: tuple[str, ...]  # N names that `ask` knows
    texts: tuple[str, ...]
    media_asked: int  # candidates for a text
    texts_asked: int  # candidates for a medium
    sounds: SoundIndex | None = None  # what was heard of the media, where more than those are measured on

    def take(self, rows: np.ndarray) -> AskedPairs:
        """Those of some of the examples."""
        media, texts = (tuple(side[i] for i in rows.tolist()) for side in (self.media, self.texts))
        return replace(self, media=media, texts=texts)

    def numbers(self, media: np.ndarray, texts: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) what orders the answers to one query, of (K,) rows of media and of texts."""
        items, asked = [self.media[i] for i in media.tolist()], [self.texts[i] for i in texts.tolist()]
        return self.decided(self.ask(items, asked), similarity)

    def lists(self, text: int, media: np.ndarray) -> list[np.ndarray]:
        """What else finds candidates for a row of texts among (G,) rows of media: how they sound."""
        if self.sounds is None or len(media) <= self.media_asked:
            return []
        return [self.sounds.scores(self.texts[text], [self.media[i] for i in media.tolist()])]


@dataclass(frozen=True)
class BankArrays:
    """The tower outputs of what stands in for other queries; either side may be empty."""

    features: np.ndarray  # (B, F) of the media tower
    texts: np.ndarray  # (B, D) of the text tower


@dataclass(frozen=True)
class PairArrays:
    """Cached tower outputs of N examples."""

    features: np.ndarray  # (N, F) float32 of the media tower
    texts: np.ndarray  # (N, D) float32 of the text tower
    match: np.ndarray  # (N,) bool
    item_code: np.ndarray  # (N,) int64, equal for one item
    text_code: np.ndarray  # (N,) int64, equal for one text
    frames: Sequences | None = None  # of spans of videos: their frames, of which `features` is the mean
    cells: np.ndarray | None = None  # (N, T, F) float16 of their parts, for a head that looks at pairs
    weight: np.ndarray | None = None  # (N,) float32 how sure each label is; None: all are
    said: Callable[[int], str] = lambda row: f"example {row + 1}"  # what an example is called in a sentence
    asked: AskedPairs | None = None  # of a modality that tells more of a pair than its place in the space
    clips: Sequence[FrameFeatures] | None = None  # of spans of videos: all of their frames with their times
    bank: BankArrays | None = None  # by which hubs are known, where the examples are to be ranked
    grounds: Grounds | None = None  # what versions judge by, where the examples are judged by it

    def __len__(self) -> int:
        return len(self.match)

    def take(self, rows: np.ndarray) -> PairArrays:
        """The examples of those rows."""
        return PairArrays(
            self.features[rows],
            self.texts[rows],
            self.match[rows],
            self.item_code[rows],
            self.text_code[rows],
            self.frames.take(rows) if self.frames is not None else None,
            self.cells[rows] if self.cells is not None else None,
            self.weight[rows] if self.weight is not None else None,
            lambda row: self.said(int(rows[row])),
            self.asked.take(rows) if self.asked is not None else None,
            [self.clips[i] for i in rows.tolist()] if self.clips is not None else None,
            self.bank,
            self.grounds,
        )

    def among(self, others: int) -> PairArrays:
        """The examples, and after them so many media and texts of the bank: of few examples alone each stands
        near the top whatever the model. Where there is no bank, or more is known of a pair than its vectors,
        the examples alone.
        """
        if self.bank is None or any(one is not None for one in (self.frames, self.cells, self.asked)):
            return self
        features, texts = self.bank.features[:others], self.bank.texts[:others]
        more = min(len(features), len(texts))
        new = np.arange(more, dtype=np.int64)

        def said(row: int) -> str:
            return self.said(row) if row < len(self) else f"row {row - len(self) + 1} of the collection"

        return PairArrays(
            np.concatenate([self.features, features[:more]]),
            np.concatenate([self.texts, texts[:more]]),
            np.concatenate([self.match, np.ones(more, bool)]),
            np.concatenate([self.item_code, self.item_code.max(initial=-1) + 1 + new]),
            np.concatenate([self.text_code, self.text_code.max(initial=-1) + 1 + new]),
            said=said,
            bank=self.bank,
            grounds=self.grounds,
        )


def prepare_features(
    ws: Workspace, preset: Preset, examples: Sequence[Example], towers: Callable[[], Towers]
) -> None:
    """Make what the tower outputs of the examples lack on disk; the towers are loaded only if something
    does.
    """
    features = ws.vectors(preset.media_features, preset.feature_dim, np.float16)
    texts = ws.vectors(preset.text_vectors, preset.dim)
    features.refresh()
    texts.refresh()
    lacking = features.missing([e.item for e in examples])
    if lacking:
        embed_items(ws, towers(), list(ws.items.of(lacking).values()))
        if lost := features.missing(lacking):
            require_features(ws, towers().media, ws.items.of(lost)[lost[0]])
    spans = modality_of(preset.task).spans
    if spans is not None:
        lost = [e.item for e in examples if not spans.is_kept(ws, preset.media_features, e.item)]
        for item in ws.items.of(list(dict.fromkeys(lost))).values():
            load_medium(ws, towers().media, item)
    keys = [text_id(e.text) for e in examples]
    if texts.missing(keys):
        text_vectors(ws, towers(), [e.text for e in examples])


def load_arrays(
    ws: Workspace,
    preset: Preset,
    examples: Sequence[Example],
    towers: Callable[[], Towers] | None = None,
) -> PairArrays:
    """The tower outputs of examples that `prepare_features` has seen to.

    Args:
        ws: the workspace.
        preset: whose.
        examples: N of them.
        towers: loads the towers, where the examples are to be ranked and more is known of a pair than its
            place in the shared space; None: they are trained on only.
    """
    features = ws.vectors(preset.media_features, preset.feature_dim, np.float16)
    texts = ws.vectors(preset.text_vectors, preset.dim)
    keys = [text_id(e.text) for e in examples]
    items = [e.item for e in examples]
    spans = modality_of(preset.task).spans
    frames: Sequences | None = None
    clips: list[FrameFeatures] | None = None
    if spans is not None:
        places = [(e.item, e.start, e.end) for e in examples]
        frames = spans.parts(ws, preset.media_features, places)
        if towers is not None:
            clips = spans.clips(ws, preset.media_features, places)
    bank = _bank(ws, preset, examples, towers) if towers is not None else None
    asked = None
    if towers is not None and LOADERS[preset.loader].gives_evidence:
        asked = asked_pairs(ws, preset, examples, towers)
    known = ws.items.of(sorted(set(items)))
    text_of = dict(zip(keys, (e.text for e in examples), strict=True))

    def said(row: int) -> str:
        return f"{known[items[row]].name} with “{examples[row].text[:60]}”"

    return PairArrays(
        features=features.get(items, lambda item: known[item].name) if frames is None else frames.means(),
        texts=texts.get(keys, lambda key: f"“{text_of[key][:60]}”"),
        match=np.array([e.match for e in examples], dtype=bool),
        item_code=codes([e.medium for e in examples]),
        text_code=codes([text_key(e.text) for e in examples]),
        frames=frames,
        weight=np.array([e.agreement for e in examples], np.float32),
        said=said,
        asked=asked,
        clips=clips,
        bank=bank,
        grounds=towers().grounds if towers is not None and has_hubs(preset.task) else None,
    )


def _bank(
    ws: Workspace, preset: Preset, examples: Sequence[Example], towers: Callable[[], Towers]
) -> BankArrays | None:
    """The train side without what is measured on; None: hubs are not known by it."""
    found = bank_of(ws, preset.task, {e.item for e in examples}, {text_key(e.text) for e in examples})
    if not found.items and not found.texts:
        return None
    features = ws.vectors(preset.media_features, preset.feature_dim, np.float16)
    texts = ws.vectors(preset.text_vectors, preset.dim)
    if lacking := features.missing(found.items):
        embed_items(ws, towers(), list(ws.items.of(lacking).values()))
    unreadable = set(features.missing(found.items))
    keys = [text_id(text) for text in found.texts]
    if texts.missing(keys):
        text_vectors(ws, towers(), found.texts)
    return BankArrays(features.get([i for i in found.items if i not in unreadable]), texts.get(keys))


def asked_pairs(
    ws: Workspace, preset: Preset, examples: Sequence[Example], towers: Callable[[], Towers]
) -> AskedPairs:
    """The evidence of a preset's towers about examples, kept on the disk: an evaluation asks it again."""
    make = LOADERS[preset.loader].make_aligner or HeadAligner
    loaded = towers()
    aligner = make(preset.id, preset.task, loaded, None, loaded.calibration)
    evidence = PairEvidence(ws, aligner, keep=True)
    return AskedPairs(
        evidence.of,
        aligner.decided,
        tuple(e.item for e in examples),
        tuple(e.text for e in examples),
        aligner.reranks,
        aligner.reranks_texts,
        _sounds(ws, loaded, aligner, sorted({e.item for e in examples})),
    )


def _sounds(ws: Workspace, towers: Towers, aligner: HeadAligner, items: Sequence[str]) -> SoundIndex | None:
    """What is heard of items where they are too many to be all asked about; None: they aren't."""
    heard = modality_of(aligner.task).heard
    if heard is None or len(items) <= aligner.reranks:
        return None
    return SoundIndex({key: heard(ws, towers.media, item) for key, item in ws.items.of(items).items()})


def with_cells(ws: Workspace, towers: Towers, examples: Sequence[Example], arrays: PairArrays) -> PairArrays:
    """The same with the features of the parts of their media."""
    items = ws.items.of(sorted({e.item for e in examples}))
    ids = list(items)
    row = {item: i for i, item in enumerate(ids)}
    found = cell_features(ws, towers.media, [items[i] for i in ids])
    return replace(arrays, cells=found[[row[e.item] for e in examples]] if len(examples) else found[:0])
