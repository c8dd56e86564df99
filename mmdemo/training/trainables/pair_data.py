"""Pairs of a workspace as encoders are trained on them: a data set a modality, batches prepared ahead.

A data set decodes one pair; `collate` lays several side by side, padded and masked as their tokeniser and
processor do it. On a GPU threads prepare a batch while the network is busy with the one before: decoding,
resampling and resizing leave Python's lock, so no worker processes have to be started for a few hundred
labels. On a CPU they would only take its cores away (benchmarks/contrastive_speed.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmdemo.errors import UserError
from mmdemo.evaluation.metrics import codes
from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.labeling.snapshot import Example
from mmdemo.media.video import frame_at, probe_video
from mmdemo.modality import modality_of
from mmdemo.models.encoders.dual import DualMediaTower, Encoder, stacked
from mmdemo.retrieval.embed import decode_file
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.trainables.encoders import Inputs

WORKERS = 4


class PairDataset(Dataset[dict[str, Tensor]]):
    """Pairs whose media are files of one modality; row i is what goes into the media encoder for pair i.

    Args:
        ws: the workspace.
        encoder: whose processor prepares the media.
        examples: the pairs.
    """

    def __init__(self, ws: Workspace, encoder: Encoder, examples: Sequence[Example]) -> None:
        self.ws = ws
        self.encoder = encoder
        self.examples = list(examples)
        self._items = ws.items.of(sorted({e.item for e in examples}))

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        """Tensors with a first axis of 1.

        Raises:
            MediaError: the file cannot be decoded.
            NumberError: what is decoded of it is infinite or not a number.
        """
        made = self.encoder.prepared(self.medium(self.examples[row]))
        for values in made.values():
            if values.is_floating_point():
                require_finite(values, f"What goes into the model of {self.said(row)}", CURE_OF_MODEL)
        return made

    def said(self, row: int) -> str:
        """What a pair is called in a sentence: its file and its text."""
        example = self.examples[row]
        return f"{self._items[example.item].name} with “{example.text[:60]}”"

    def medium(self, example: Example) -> Any:
        """What the encoder takes of an example's file."""
        raise NotImplementedError

    def path(self, example: Example) -> Any:
        """The file of an example."""
        return self.ws.media_path(self._items[example.item])


class StillPairs(PairDataset):
    """Pairs of pictures, decoded no larger than the encoder needs; or of sounds, up to two minutes."""

    def medium(self, example: Example) -> Any:
        """A decoded picture, or (N,) samples at 16 kHz."""
        return decode_file(DualMediaTower(self.encoder.name, self.encoder), self.path(example))


class VideoPairs(PairDataset):
    """Pairs of videos or their spans: as many frames as the encoder takes, spread evenly."""

    def medium(self, example: Example) -> Any:
        """The frames."""
        path, count = self.path(example), int(self.encoder.frames)  # type: ignore[attr-defined]
        start = example.start or 0.0
        end = example.end if example.end is not None else probe_video(path).duration_s
        at = [start + (end - start) * (i + 0.5) / count for i in range(count)]
        return [frame_at(path, t, self.encoder.input_px).image for t in at]


def pair_dataset(ws: Workspace, encoder: Encoder, task: str, examples: Sequence[Example]) -> PairDataset:
    """The data set of a task's modality.

    Raises:
        UserError: its networks cannot learn.
    """
    dataset = modality_of(task).pair_dataset
    if dataset is None:
        raise UserError(f"The networks of {task} cannot learn from pairs.", "Train the head.")
    return cast(PairDataset, dataset(ws, encoder, examples))


class PairSource:
    """Batches of a data set, prepared ahead when it is told which come next.

    Args:
        data: the pairs.
    """

    def __init__(self, data: PairDataset) -> None:
        examples = data.examples
        self._data = data
        self.matches: Sequence[bool] = [e.match for e in examples]
        self._media = torch.from_numpy(codes([e.medium for e in examples]))
        self._texts = torch.from_numpy(codes([text_key(e.text) for e in examples]))
        self._weight = torch.tensor([e.agreement for e in examples])
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="prepare")
        self._ahead: dict[tuple[int, ...], list[Future[dict[str, Tensor]]]] = {}

    def prefetch(self, rows: Sequence[int]) -> None:
        """Begin to prepare the pairs of those rows; of what was begun before, the last is kept."""
        key = tuple(rows)
        if self._data.encoder.compute.prepares_ahead and key not in self._ahead:
            for other in list(self._ahead)[:-1]:
                for future in self._ahead.pop(other):
                    future.cancel()
            self._ahead[key] = [self._pool.submit(self._data.__getitem__, i) for i in rows]

    def inputs(self, rows: Sequence[int]) -> Inputs:
        """The pairs of those rows."""
        self.prefetch(rows)
        ahead = self._ahead.pop(tuple(rows), None)
        prepared = [self._data[i] for i in rows] if ahead is None else [future.result() for future in ahead]
        return self.collate(rows, prepared)

    def said(self, row: int) -> str:
        """What a pair is called in a sentence."""
        return self._data.said(row)

    def collate(self, rows: Sequence[int], prepared: Sequence[dict[str, Tensor]]) -> Inputs:
        """Pairs side by side: media stacked, texts tokenised, padded and masked."""
        at = list(rows)
        return Inputs(
            stacked(prepared),
            self._data.encoder.tokens([self._data.examples[i].text for i in at]),
            torch.tensor([self.matches[i] for i in at]),
            self._media[at],
            self._texts[at],
            self._weight[at],
        )
