from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdemo.command_line import main
from mmdemo.data.samples import SPEECH
from mmdemo.errors import MediaError, UserError
from mmdemo.evaluation.evaluate import evaluate_manifest, localise
from mmdemo.labeling.snapshot import Example
from mmdemo.media.audio import RATE_HZ, decode_audio
from mmdemo.media.video import decode_video, frame_at
from mmdemo.models.aligner import Towers
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.video.frames import frame_features, is_kept
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Item
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import execute_run, grown
from tests.media.test_clock import write_spoken
from tests.service.conftest import over_both

TASK = "video-text"


def video(app: App, number: int = 1) -> Item:
    return next(i for i in app.ws.items.listed("video") if i.name == f"drawings-{number}.mp4")


@pytest.fixture(scope="module")
def watched_workspace(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers], indexed_workspace: Path
) -> Path:
    """A workspace in which three videos have been looked through, two seconds each."""
    folder = tmp_path_factory.mktemp("watched") / "workspace"
    with grown(indexed_workspace, folder, loaded) as app:
        for number in (1, 2, 7):
            app.video.moments(video(app, number), "warm")
    return folder


@pytest.fixture
def watched(
    open_over: Callable[[str, Path], App], request: pytest.FixtureRequest, watched_workspace: Path
) -> App:
    """A copy of it, for what is asked of videos that are known."""
    return open_over(getattr(request, "param", "sqlite"), watched_workspace)


def span_of(text: str) -> tuple[float, float]:
    with (ASSETS / "video" / "samples.csv").open(encoding="utf-8") as f:
        row = next(r for r in csv.DictReader(f) if r["text"] == text)
    return float(row["start"]), float(row["end"])


@over_both("app")
def test_a_moment_is_found_where_its_drawing_is_shown_and_the_first_look_is_quick(app: App) -> None:
    item = video(app)
    first = app.video.moments(item, "a harp", wait=False)
    assert not first["complete"] and len(first["curve"]) <= 16 and first["moments"]
    found = app.video.moments(item, "a harp")
    start, end = span_of("Classical harp")
    best = found["moments"][0]
    assert found["complete"] and (best["start"], best["end"]) == pytest.approx((start, end), abs=0.03)
    assert best["found_by"] == "pictures" and len(found["shots"]) == 8 and 30 < len(found["curve"]) < 45
    with pytest.raises(UserError, match="empty"):
        app.video.moments(item, " ")
    with pytest.raises(MediaError, match="no video"):
        app.video.moments(app.ws.items.listed("image", limit=1)[0], "a harp")


@pytest.mark.slow
def test_a_moment_is_as_likely_as_align_says_of_its_video(watched: App) -> None:
    item = video(watched)
    texts = ["a harp", "a guitar", "a red car"]
    said = {row["text"]: row["probability"] for row in watched.media.align(item, texts)["scores"]}
    for text in texts:
        best = watched.video.moments(item, text)["moments"][0]
        assert best["probability"] == pytest.approx(said[text], abs=1e-3), text


def test_that_nothing_in_a_video_fits_is_said(watched: App) -> None:
    item = video(watched).id
    harp, tax = (ask(watched, "moments", item=item, query=q) for q in ("a harp", "quarterly tax report"))
    assert (harp["no_match"], tax["no_match"]) == (False, True) and tax["moments"]


@pytest.mark.parametrize(
    ("query", "why"), [("no harp", "doesn't read “no”"), ("eine Harfe und ein Hund", "German")]
)
def test_moments_of_what_the_text_model_does_not_read_have_a_sentence_and_no_percent(
    watched: App, query: str, why: str
) -> None:
    told = watched.video.moments(video(watched), query)
    assert why in told["note"] and told["no_match"]
    assert told["moments"] and all(m["probability"] is None for m in told["moments"])


@over_both("watched")
def test_what_is_said_is_found_too_and_told_apart(watched: App) -> None:
    item = video(watched)
    watched.speech.transcribe(item)
    found = watched.video.moments(item, "grapes")
    said = [m for m in found["moments"] if m["found_by"] == "words"]
    start, _ = span_of("Grapes")
    assert (
        said
        and said[0]["start"] - 4 < start
        and said[0]["end"] > start
        and "grapes" in said[0]["text"].lower()
    )
    assert any(m["found_by"] == "pictures" for m in found["moments"])


def test_who_asks_for_moments_once_gets_what_is_said_without_having_asked_for_a_transcript(
    watched: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise UserError("The recogniser is not here.", "Install it.")

    item = video(watched)
    found = ask(watched, "moments", item=item.id, query="grapes")
    version = watched.ws.versions.active("speech-text")
    assert found["note"] == "" and watched.ws.transcripts.get(item.id, version)
    assert any(m["found_by"] == "words" for m in found["moments"])
    with monkeypatch.context() as patch:
        patch.setattr(watched.context.transcripts, "transcribe", refuse)
        other = ask(watched, "moments", item=video(watched, 2).id, query="a drawing")
    assert other["note"].startswith("Only the pictures were looked through.") and other["moments"]


def test_shots_that_can_be_told_are_described_with_their_times_and_the_sure_in_a_sentence(
    watched: App,
) -> None:
    told = watched.caption(video(watched))
    captions = [(c["text"], c["start"], c["sure"]) for c in told["captions"]]  # three of eight shots
    assert captions[1] == ("a string instrument", 7.04, "sure")
    assert captions[0] == ("a person", 2.72, "likely") and captions[2] == ("a road sign", 14.68, "sure")
    assert told["summary"] == "Shows a string instrument and a road sign." and told["note"] == ""
    files = ask(watched, "describe_video", item=video(watched).id)
    assert files["vtt"].count("-->") == 2 and files["chapters"].endswith("a road sign\n")


@over_both("watched")
def test_a_collection_is_searched_and_lands_on_the_second(watched: App) -> None:
    aligner = watched.models.aligner(TASK)
    kept = [i for i in watched.ws.items.listed("video") if is_kept(watched.ws, aligner.towers.media.id, i.id)]
    assert len(kept) == 3
    found = watched.context.searcher_of(TASK)
    index = found._frame_index(watched.context.keeper_of(TASK)._serving or _serving_of(watched))
    assert set(index.ids) == {i.id for i in kept}
    best = watched.media.search(Query(text="a harp", k=2), TASK).results[0]
    start, end = span_of("Classical harp")
    assert best.name == "drawings-1.mp4" and (best.start, best.end) == pytest.approx((start, end), abs=0.03)


def _serving_of(app: App) -> object:
    """An index of the videos that were looked through, as one is while the rest is on its way."""
    from mmdemo.retrieval.index import VectorIndex
    from mmdemo.retrieval.serving import Serving

    aligner = app.models.aligner(TASK)
    serving = Serving(aligner, VectorIndex(np.zeros((0, aligner.dim), np.float32)))
    app.context.keeper_of(TASK)._serving = serving
    return serving


def test_labelled_spans_are_learnt_from_and_other_spans_of_the_same_video_are_negatives(
    make_app: Callable[..., App],
) -> None:
    app = make_app("spans")
    for number in range(1, 9):  # as if all had been looked through: random frames, which must be learnt
        item = video(app, number)
        write_features(app, item, number)
    for pair in app.ws.pairs.browse(TASK, state="unlabelled"):
        app.ws.labels.add(pair.id, NewLabel("match"))
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=3), "ask")
    run = execute_run(app, run_id)
    assert run.status == "done", run.message
    result = run.result or {}
    assert result["trained_on"] == {"match": 32, "mismatch": 0, "held_out": 24, "validation": 8}
    assert result["before"]["pairs"] == 24  # spans, not videos, are what is ranked
    tuned = app.models.aligner(TASK, run.version_id)
    assert tuned.version == run.version_id and tuned.head is not None


def write_features(app: App, item: Item, seed: int) -> None:
    """Frame features of an item that nothing looked at."""
    import io

    from mmdemo.retrieval.video.frames import _path
    from mmdemo.store.durable import write_durably

    rng = np.random.default_rng(seed)
    times = np.arange(0, item.duration_s or 1, 0.5, dtype=np.float32)
    out = io.BytesIO()
    shots = np.array([[0, item.duration_s]], np.float32)
    np.savez(out, times=times, features=rng.normal(size=(len(times), 1664)).astype(np.float16), shots=shots)
    write_durably(_path(app.ws, "efficientnet-lite0-minilm-video-features", item.id), out.getvalue())
    pooled = rng.normal(size=(1, 1664)).astype(np.float16)
    app.ws.vectors("efficientnet-lite0-minilm-video-features", 1664, np.float16).append([item.id], pooled)


def test_a_span_averages_its_own_frames_and_an_empty_one_the_frame_that_is_shown(watched: App) -> None:
    tower = watched.models.aligner(TASK).towers.media
    frames = frame_features(watched.ws, tower, video(watched, 2))  # type: ignore[arg-type]
    rows = (frames.times >= 3.0) & (frames.times < 6.0)
    assert np.allclose(frames.within(3.0, 6.0), frames.features[rows].astype(np.float32).mean(0), atol=1e-4)
    shown = int(np.searchsorted(frames.times, 3.1, side="right")) - 1
    assert np.allclose(frames.within(3.1, 3.15), frames.features[shown].astype(np.float32), atol=1e-4)


def test_looking_through_can_be_stopped_and_goes_on_to_the_same_result(
    app: App, watched: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.retrieval.video.frames.AT_ONCE", 4)
    tower = app.models.aligner(TASK).towers.media
    item, seen = video(app, 2), []
    part = frame_features(app.ws, tower, item, lambda: len(seen) > 0, seen.append)  # type: ignore[arg-type]
    assert 0 < len(part.times) < 30 and not is_kept(app.ws, tower.id, item.id)
    whole = frame_features(app.ws, tower, item)  # type: ignore[arg-type]
    fresh = frame_features(watched.ws, tower, item)  # type: ignore[arg-type]
    assert np.allclose(whole.times, fresh.times, atol=1e-3) and np.allclose(whole.shots, fresh.shots)
    assert np.allclose(whole.features, fresh.features, atol=0.02)


def test_how_far_looking_through_a_video_is_waits_for_no_model(watched: App) -> None:
    told = watched.video.watching(video(watched))
    assert told["complete"] and told["shots"] and told["model"] == watched.ws.versions.active(TASK)
    assert told["model"] not in watched.models._aligners


def test_a_long_video_is_looked_through_only_when_somebody_agrees(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.service.video.ASKED_S", 10.0)
    item = video(app, 3)
    asked = app.video.watch(item)
    assert asked["estimate_s"] > 0 and not asked["running"] and not asked["complete"]
    assert not app.video.moments(item, "a drawing", wait=False)["complete"]
    assert not app.video.watching(item)["running"]
    begun = app.video.watch(item, agreed=True)
    assert begun["estimate_s"] is None and (begun["running"] or begun["complete"])
    app.video.moments(item, "a drawing")
    assert app.video.watching(item)["complete"]


def test_a_file_that_was_a_recording_becomes_a_video_and_can_still_be_heard(
    make_app: Callable[..., App],
) -> None:
    app = make_app("both", samples=False)
    path = ASSETS / "video" / "drawings-1.mp4"
    heard = app.media.keep(path, "test", "speech-text")
    seen = app.media.keep(path, "test", TASK)
    assert heard.id == seen.id and seen.modality == "video" and seen.width == 320
    assert app.speech.transcribe(seen)["words"]
    assert app.media.task_of_file(path) == TASK


def test_labelled_spans_come_back_the_same_on_import(make_app: Callable[..., App], tmp_path: Path) -> None:
    first = make_app("first", samples=False)
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mp4").write_bytes((ASSETS / "video" / "drawings-3.mp4").read_bytes())
    spans = [("0.04", "2.12", "one"), ("2.12", "4.361", "two"), ("4.361", "19", "three")]
    lines = [f"a.mp4,{text},{start},{end},match" for start, end, text in spans]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text,start,end,verdict", *lines]))
    assert first.data.import_source(str(folder), TASK, "none").pairs == 3
    first.data.export(TASK, "jsonl", tmp_path / "out")
    second = make_app("second", samples=False)
    second.data.import_source(str(tmp_path / "out"), TASK, "none")
    for app in (first, second):
        found = sorted((p.start_s, p.end_s, p.text, p.verdict) for p in app.ws.pairs.browse(TASK))
        assert found == [(float(a), float(b), text, "match") for a, b, text in spans]


def test_moments_from_the_command_line(
    tmp_path: Path, new_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ASSETS / "video" / "drawings-2.mp4"
    space = ["--workspace", str(shutil.copytree(new_workspace, tmp_path / "w"))]
    assert main(["moments", str(path), "a drawing", "--json", *space]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        set(found) == {"model", "moments", "curve", "note", "no_match"} and found["moments"][0]["end"] <= 17.4
    )
    (tmp_path / "x.mp4").write_text("words")
    assert main(["moments", str(tmp_path / "x.mp4"), "a drawing", *space]) == 2
    assert "not a video that can be read" in capsys.readouterr().err


def test_evaluate_says_how_well_spans_are_found_in_the_workspace_and_in_a_manifest(
    watched: App, tmp_path: Path
) -> None:
    rows = ["file_name,text,start,end"]
    for text, other in (("Classical harp", "a harp"), ("Cardboard box", "a cardboard box")):
        start, end = span_of(text)
        watched.labels.add_on(video(watched).id, other, NewLabel("match"), start, end)
        rows.append(f"{ASSETS / 'video' / 'drawings-1.mp4'},{other},{start},{end}")
    (tmp_path / "drawings-1.mp4").write_bytes((ASSETS / "video" / "drawings-1.mp4").read_bytes())
    (tmp_path / "m.csv").write_text("\n".join(rows).replace(f"{ASSETS / 'video'}/", ""))
    aligner = watched.models.aligner(TASK)
    examples = [
        Example(i, i, p.item, p.final_text, True, "held-out", p.start_s, p.end_s)
        for i, p in enumerate(watched.ws.pairs.browse(TASK, item=video(watched).id, state="match"))
    ]
    own = localise(watched.ws, aligner, examples)  # type: ignore[arg-type]
    assert own is not None and own.as_json()["queries"] == 2
    found = evaluate_manifest(aligner, str(tmp_path / "m.csv")).as_json()
    assert found["pairs"] == 2 and found["moments"] == own.as_json()
    assert found["moments"]["R@1 IoU 0.5"] >= 50.0


def test_a_span_that_is_exported_and_imported_again_has_the_very_same_frames(
    app: App, make_app: Callable[..., App], tmp_path: Path
) -> None:
    item = video(app)
    app.labels.add_on(item.id, "something", NewLabel("match"), 3.04, 7.04)
    out = tmp_path / "out"
    app.data.export(TASK, "jsonl", out)
    again = make_app("again", samples=False)
    again.data.import_source(str(out), TASK)
    (pair,) = [p for p in again.ws.pairs.browse(TASK) if p.final_text == "something"]
    frames = [
        [f.time_s for f in decode_video(d.ws.media_path(d.media.item(item.id)), [], start_s=a, end_s=b)]
        for d, a, b in ((app, 3.04, 7.04), (again, pair.start_s or 0.0, pair.end_s))
    ]
    assert frames[0] == frames[1] and len(frames[0]) == 100


def test_a_strip_of_small_frames_shows_the_video_where_one_points(watched: App) -> None:
    from PIL import Image

    item = video(watched)
    with pytest.raises(MediaError, match="not looked through"):
        watched.video.strip(video(watched, 3))
    times = watched.video.watching(item)["strip"]
    strip = Image.open(io.BytesIO(watched.video.strip(item)))
    assert strip.size == (96 * len(times), 54) and 30 < len(times) <= 100 and times == sorted(times)
    start, end = span_of("Classical harp")
    cell = next(i for i, t in enumerate(times) if start + 0.3 < t < end - 0.3)
    shown = frame_at(watched.ws.media_path(item), times[cell]).image.convert("RGB").resize((72, 54))
    seen = strip.convert("RGB").crop((96 * cell + 12, 0, 96 * cell + 84, 54))
    assert np.abs(np.asarray(shown, int) - np.asarray(seen, int)).mean() < 8


@over_both("app")
def test_a_label_on_a_span_without_an_end_is_refused(app: App) -> None:
    labels = app.ws.labels.total()
    with pytest.raises(UserError, match="has a start and an end"):
        ask(app, "label_span", item=video(app).id, text="a harp", verdict="match", start=1.0)
    assert app.ws.labels.total() == labels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "late_s"), [(".mkv", 4.25), (".mp4", 0.7), (".webm", 0.7), (".ts", 0.7), (".ts", 1.5)]
)
def test_what_is_said_in_a_video_whose_sound_begins_late_is_found_where_it_is_heard(
    app: App, tmp_path: Path, suffix: str, late_s: float
) -> None:
    """Beside a video in which silence comes first: late by an edit list, by the clock, by a jump. A coder
    writes other samples of the same sound there, and one border of two words may lie elsewhere.
    """
    spoken = decode_audio(next((SPEECH / "samples").glob("sentence-01-*.ogg")))
    samples = np.repeat(spoken, 48_000 // RATE_HZ)
    silence = np.zeros(round(late_s * 48_000), np.float32)
    tracks = {
        "late": [(late_s, samples)],
        "jump": [(0.0, silence[:4800]), (late_s, samples)],
        "in place": [(0.0, np.concatenate([silence, samples]))],
    }
    found = {}
    for name, sound in tracks.items():
        path = write_spoken(tmp_path / f"{name}{suffix}", sound, length_s=8.0)
        item = app.ws.add_media("video", path, path.name, source="test")
        moments = app.video.moments(item, "the train to the coast", listen=True)["moments"]
        words = app.speech.transcript(item)["words"]
        found[name] = [(w["start"], w["end"]) for w in words], (moments[0]["start"], moments[0]["end"])
        assert " ".join(w["word"].strip() for w in words).startswith("The train to the coast")
        assert moments[0]["found_by"] != "pictures"
    words_in_place, moment_in_place = found["in place"]
    for words, moment in (found["late"], found["jump"]):
        elsewhere = np.abs(np.array(words) - np.array(words_in_place)) > 0.05
        assert elsewhere.sum() <= (0 if suffix == ".mkv" else 2), (words, words_in_place)
        assert moment == pytest.approx(moment_in_place, abs=0.05)
        assert late_s - 0.1 < moment[0] < late_s + 0.5
