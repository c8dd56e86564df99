"""What is no number is an error that names where it comes from, at every door, and never a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmdemo.errors import MediaError, NumberError
from mmdemo.evaluation.caption_scores import caption_comparison, clip_score
from mmdemo.evaluation.comparison import paired_bootstrap
from mmdemo.evaluation.localisation import Localisation
from mmdemo.evaluation.metrics import PairTable, Ranks, evaluate_retrieval, evaluate_table
from mmdemo.finite import require_finite, rows_of_numbers
from mmdemo.media.audio import decode_audio, probe_audio
from mmdemo.models.calibration import Calibration, fit_calibration
from mmdemo.models.heads.residual import HeadShape
from mmdemo.models.heads.saved import load_head, make_head, save_head
from mmdemo.retrieval.embed import feature_file, version_file
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.texts import short_id, text_id
from mmdemo.store.vectors import VectorFile
from tests.conftest import TASK
from tests.training.test_training import label_samples, run

WRONG = [np.nan, np.inf, -np.inf]


def test_the_first_row_that_is_no_number_is_named_and_good_ones_come_back_as_they_are() -> None:
    values = np.zeros((3, 2, 2))
    assert require_finite(values, "nothing", "") is values
    assert require_finite(np.zeros((0, 4)), "nothing", "").shape == (0, 4)
    values[1, 0, 1] = np.inf
    with pytest.raises(NumberError, match=r"^Row 1 is infinite. Mend it.$"):
        require_finite(values, lambda i: f"Row {i}", "Mend it.")
    with pytest.raises(NumberError, match=r"^The loss is not a number. Mend it.$"):
        require_finite(np.nan, "The loss", "Mend it.")
    assert rows_of_numbers(values).tolist() == [True, False, True]


# Metrics


def unit(rows: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def retrieval(wrong: float) -> object:
    media = unit(6)
    media[2, 1] = wrong
    return evaluate_retrieval(media, unit(6), list("abcdef"), list("uvwxyz"), lambda i: f"file {i}.jpg")


def retrieval_by_text(wrong: float) -> object:
    text = unit(6)
    text[2, 1] = wrong
    return evaluate_retrieval(unit(6), text, list("abcdef"), list("uvwxyz"))


def retrieval_by_scores(wrong: float) -> object:
    table = unit(6) @ unit(6).T
    table[2, 2] = wrong
    return evaluate_table(PairTable(lambda a, b: table[np.ix_(a, b)]), list("abcdef"), list("uvwxyz"))


METRICS: dict[str, tuple[Callable[[float], object], str]] = {
    "retrieval by a medium's vector": (retrieval, "of the medium of file 2.jpg"),
    "retrieval by a text's vector": (retrieval_by_text, r"of the text of pair 3 \(w\)"),
    "retrieval by scores": (retrieval_by_scores, r"A score of pair 3 \(w\)"),
    "ranks": (lambda x: Ranks(np.array([1.0, x]), np.array([1.0, 1.0])), "The rank of query 2"),
    "precision": (lambda x: Ranks(np.array([1.0]), np.array([x])), "The precision of query 1"),
    "a gain": (lambda x: paired_bootstrap(np.array([0.0, 1.0]), np.array([1.0, x])), "of query 2 after"),
    "moments": (lambda x: Localisation(np.array([0.5, x])), "The overlap of query 2"),
    "CLIPScore": (clip_score, "The similarity of a caption with its picture"),
    "captions": (
        lambda x: caption_comparison(["a"], ["b"], [["c"]], (np.array([0.1]), np.array([x]))),
        "The similarity of a caption",
    ),
    "calibration": (
        lambda x: fit_calibration(np.array([0.1, x]), np.array([0, 1]), Calibration(10, -5)),
        "The similarity of pair 2",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", METRICS)
def test_no_metric_counts_what_is_no_number(name: str, wrong: float) -> None:
    measure, named = METRICS[name]
    with pytest.raises(NumberError, match=f"{named}.* is (infinite|not a number)"):
        measure(wrong)


# Files


def test_a_vector_that_is_no_number_is_not_kept_and_neither_is_what_16_bits_cannot_hold(
    tmp_path: Path,
) -> None:
    file = VectorFile(tmp_path / "features", 2, np.float16)
    file.append([text_id("a")], np.array([[1.0, 60_000.0]]))
    for wrong in (*WRONG, 70_000.0):
        with pytest.raises(NumberError, match=f"of {short_id(text_id('b'))} is"):
            file.append([text_id("b")], np.array([[1.0, wrong]]))
    assert file.keys() == [text_id("a")]


def test_what_passes_a_tower_as_no_number_is_passed_over_by_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Doubling:
        id = "doubling"

        def prepare(self, medium: float) -> float:
            return medium

        def encode(self, media: list[float]) -> np.ndarray:
            return np.array([[2 * m] for m in media], np.float32)

    def load(source: SimpleNamespace) -> float:
        if source.value < 0:
            raise NumberError("It is below zero.")
        return float(source.value)

    values = {"one.wav": 1.0, "nan.wav": np.nan, "large.wav": 40_000.0, "below.wav": -1.0, "two.wav": 2.0}
    sources = [SimpleNamespace(name=name, value=value) for name, value in values.items()]
    batches = list(encode_stream(Doubling(), load, sources, 2))  # type: ignore[arg-type]
    kept = [(s.name, float(row[0])) for batch, rows in batches for s, row in zip(batch, rows, strict=True)]
    assert kept == [("one.wav", 2.0), ("two.wav", 4.0)]
    for told in ("of nan.wav is not a number", "of large.wav is infinite", "below.wav: It is below zero."):
        assert told in caplog.text


def spoil(file: VectorFile, key: str, value: float = np.nan) -> None:
    """Overwrite a number on disk, as a damaged disk does."""
    row = int(file.rows_of([key])[0])
    with file._rows_path.open("r+b") as f:
        f.seek(row * file.dim * file.dtype.itemsize)
        f.write(np.array([value], file.dtype).tobytes())


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_feature_that_is_damaged_on_disk_is_made_anew_by_a_run_and_a_measurement(
    app: App, wrong: float
) -> None:
    label_samples(app, 40)
    pair = app.ws.pairs.browse(TASK, state="match", split="train")[0]
    file = feature_file(app.ws, app.models.aligner(TASK).towers)
    spoil(file, pair.item, wrong)
    assert run(app, "ask", epochs=2).status == "done"
    held_out = app.ws.pairs.browse(TASK, state="match", split="held-out")[0]
    file.refresh()
    spoil(file, held_out.item, wrong)
    assert ask(app, "evaluate", task=TASK)["pairs"]
    assert np.isfinite(file.get([pair.item, held_out.item])).all()


def test_a_vector_that_is_damaged_after_it_was_looked_at_is_told_and_then_made_anew(app: App) -> None:
    file = version_file(app.ws, app.models.aligner(TASK))
    item = app.ws.items.listed("image")[0]
    spoil(file, item.id)
    with pytest.raises(NumberError, match=r"What is kept of .* in version-.*it is made anew"):
        file.get([item.id])
    assert file.missing([item.id]) == [item.id]


def test_a_head_whose_weights_are_no_numbers_is_not_loaded(tmp_path: Path) -> None:
    head = make_head(HeadShape(6, 4, 8))
    save_head(head, tmp_path / "good")
    assert load_head(tmp_path / "good")
    head.media_out.bias.data[1] = float("nan")
    save_head(head, tmp_path / "tuned-bad")
    with pytest.raises(NumberError, match=r"A weight media_out.bias of tuned-bad is not a number"):
        load_head(tmp_path / "tuned-bad")


def test_a_recording_with_samples_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    import struct

    path = tmp_path / "odd.wav"
    samples = np.sin(np.arange(16_000) / 20).astype("<f4")
    samples[8000:8010] = np.nan
    data = samples.tobytes()
    facts = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, 16_000, 64_000, 4, 32)
    body = b"WAVE" + facts + struct.pack("<4sI", b"data", len(data)) + data
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)
    for read in (decode_audio, probe_audio):
        with pytest.raises(MediaError, match=r"odd.wav holds samples that are no numbers"):
            read(path)
