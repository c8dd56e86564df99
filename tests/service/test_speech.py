from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.command_line import main
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.data.samples import SPEECH
from mmdemo.data.subtitles import FORMATS, transcript_as
from mmdemo.errors import MediaError, UserError
from mmdemo.labeling.disagreement import apart_in_time
from mmdemo.media.audio import RATE_HZ, decode_audio
from mmdemo.models.captioning.proposals import how_sure
from mmdemo.models.speech.aligner import recogniser_of
from mmdemo.models.speech.word_alignment import Word
from mmdemo.retrieval.evidence import PairEvidence
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.service.speech import Place, few_places, with_corrections
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Item
from tests.service.conftest import over_both

TASK = "speech-text"
SAID = "The train to the coast leaves at seven in the morning."


def recording(app: App, number: int = 1) -> Item:
    return app.media.keep(next((SPEECH / "samples").glob(f"sentence-{number:02d}-*.ogg")), "test", TASK)


@over_both("app")
def test_a_transcript_is_made_once_and_kept(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    item = recording(app)
    heard = app.speech.transcribe(item)
    assert heard["text"] == SAID and heard["complete"] and heard["language"] == "en"
    recogniser = app.models.aligner(TASK).towers.media.recogniser
    monkeypatch.setattr(recogniser, "transcribe", lambda *a, **k: pytest.fail("it was heard again"))
    assert app.speech.transcribe(item) == heard


@pytest.mark.slow
def test_a_stopped_transcript_goes_on_from_where_it_was(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdemo.media.pieces.PIECE_S", (11.0, 11.0))
    part = decode_audio(app.ws.media_path(recording(app)))
    long = np.concatenate([np.concatenate([part, np.zeros(8000, np.float32)])] * 4)
    item = app.ws.add_media("audio", wav_bytes(long), "long.wav", source="test")
    version = app.settings.speech_model
    half = app.context.transcripts.transcribe(item, version, stopped=lambda: True)
    assert not half["complete"] and 0 < half["done"] < len(long) / RATE_HZ
    whole = app.context.transcripts.transcribe(item, version)
    assert whole["complete"] and whole["words"][: len(half["words"])] == half["words"]
    assert whole["words"][-1]["end"] > half["done"]
    starts = [w["start"] for w in whole["words"]]
    assert starts == sorted(starts) and starts[-1] < len(long) / RATE_HZ


def test_silence_is_said_to_hold_no_speech(app: App) -> None:
    item = app.ws.add_media("audio", wav_bytes(np.zeros(RATE_HZ, np.float32)), "quiet.wav", source="test")
    assert (
        app.speech.transcribe(item)["note"] == "No speech was found."
        and app.speech.transcribe(item)["words"] == []
    )
    aligned = app.speech.align_words(item, "hello there")
    assert aligned["note"] == "No speech was found." and not any(w["said"] for w in aligned["words"])
    told = ask(app, "caption", item=item.id)
    assert (told["captions"], told["note"]) == ([], "No speech was found.")


def test_a_word_that_was_not_said_is_reported(app: App) -> None:
    item = recording(app)
    right = app.speech.align_words(item, SAID)
    assert all(w["said"] for w in right["words"]) and right["note"] == ""
    wrong = app.speech.align_words(item, SAID.replace("seven", "xylophone"))
    assert [w["word"] for w in wrong["words"] if not w["said"]] == ["xylophone"]
    assert "1 of 11 words was not heard: xylophone" in wrong["note"]
    with pytest.raises(UserError, match="The text is empty"):
        app.speech.align_words(item, "  ")


def test_a_text_that_nobody_can_have_said_in_a_recording_is_refused(app: App) -> None:
    with pytest.raises(UserError, match="The text is too long to have been said in this recording"):
        app.speech.align_words(recording(app), "word " * 1900)


def test_a_text_that_differs_everywhere_costs_no_more_than_a_few_alignments(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long recording each place was aligned by itself, and for each the recording decoded anew."""
    item = app.ws.add_media("audio", wav_bytes(np.zeros(RATE_HZ * 60, np.float32)), "long.wav", source="test")
    words = [{"word": f"w{i}", "start": i / 2, "end": i / 2 + 0.4, "probability": 0.9} for i in range(120)]
    segments = [{"text": "all", "start": 0.0, "end": 60.0, "words": words}]
    version = app.context.version_of("speech-text")
    app.ws.transcripts.put(item.id, version, "en", segments, 60.0, True)
    recogniser = recogniser_of(app.context.models.aligner("speech-text").towers.media)
    asked: list[str] = []

    def aligned(samples: np.ndarray, text: str, offset_s: float, language: str) -> list[Word]:
        asked.append(text)
        return [Word(word, offset_s, offset_s + 0.1, 0.9) for word in text.split()]

    monkeypatch.setattr(recogniser, "align_words", aligned)
    text = [f"w{i}" if i % 2 else f"other{i}" for i in range(120)]
    found = app.speech.align_words(item, " ".join(text))["words"]
    assert [w["word"] for w in found] == text and len(asked) <= 4
    few = ["other", *text[1:3], *(f"w{i}" for i in range(3, 120))]
    asked.clear()
    found = app.speech.align_words(item, " ".join(few))["words"]
    assert [w["word"] for w in found] == few and asked == ["other", "other2"]


def test_a_text_that_differs_everywhere_in_hours_is_refused() -> None:
    places = [Place(i, i + 1, 40.0 * i, 40.0 * i + 1) for i in range(0, 11)]
    assert few_places(places[:10]) == places[:10]
    with pytest.raises(UserError, match="The text is not what is heard at 11 places"):
        few_places(places)


def test_captions_are_bounded_by_what_they_hold_together(app: App) -> None:
    with pytest.raises(UserError, match="51,000 characters together, over the limit of 50,000"):
        app.media.align(recording(app), [f"{i} ".ljust(5100, "x") for i in range(10)])


def test_a_word_that_the_transcript_has_was_said_however_unlikely_its_letters_are(app: App) -> None:
    item = next(i for i in app.ws.items.listed("audio") if i.name == "sentence-11-en-us.ogg")
    assert app.speech.transcribe(item)["text"].casefold().startswith("tickets cost")
    told = app.speech.align_words(item, "Tickets cost two dollars at the door.")
    by_word = {w["word"]: w for w in told["words"]}
    assert by_word["Tickets"]["probability"] < 0.05 and by_word["Tickets"]["said"]
    assert not by_word["two"]["said"] and "Tickets" not in told["note"]


def test_a_picture_is_no_recording_and_a_recording_no_picture(app: App) -> None:
    with pytest.raises(MediaError, match=r"no sound track|not a recording"):
        app.ws.add_media("audio", b"\x89PNG" * 99, "x.wav", source="test")
    picture = app.ws.items.listed("image")[0]
    with pytest.raises(MediaError, match=f"{picture.name} is no recording. Choose a recording."):
        app.speech.transcribe(picture)
    spoken = recording(app)
    with pytest.raises(MediaError, match=f"{spoken.name} is not a picture"):
        app.pictures.explain(spoken, ["a voice"])


def test_a_caption_is_the_transcript_and_a_title(app: App) -> None:
    captions = ask(app, "caption", item=recording(app).id)["captions"]
    assert [c["source"] for c in captions] == ["transcript", "title"] and captions[0]["text"] == SAID
    assert captions[1]["text"] == "The train to the coast leaves at seven…"


def test_a_title_is_said_to_be_as_sure_as_any_caption_that_claims_as_much(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, words = recording(app), [{"word": "Hello", "start": 0.0, "end": 0.5, "probability": 0.7}]
    heard = {"model": "a version", "text": "Hello", "words": words, "note": ""}
    monkeypatch.setattr(app.speech, "transcribe", lambda item, version: heard)
    assert {c["sure"] for c in app.caption(item)["captions"]} == {how_sure(0.7)} == {"likely"}


@pytest.mark.slow
@over_both("heard_app")
def test_recordings_are_found_by_what_is_said_and_by_topic_and_texts_by_voice(
    heard_app: App,
) -> None:
    found = heard_app.media.search(Query(text="heavy snow in the mountains", k=3), TASK)
    assert found.results[0].text == "There was heavy snow in the mountains last week."
    assert found.results[0].probability > 0.5 and not found.no_match
    start, end = found.results[0].start, found.results[0].end
    words = heard_app.speech.transcribe(heard_app.ws.items.get(found.results[0].item))["words"]
    heavy = next(w["start"] for w in words if w["word"] == "heavy")
    assert start is not None and heavy - 0.5 < start < heavy + 0.1  # one lands just before it
    assert end == pytest.approx(next(w["end"] for w in words if w["word"] == "mountains"), abs=0.3)
    topic = heard_app.media.search(Query(text="public transport and railways", k=3), TASK)
    assert any("train" in r.text or "bus" in r.text for r in topic.results)
    by_voice = heard_app.media.search(Query(item=recording(heard_app).id, target="text", k=3), TASK)
    assert by_voice.results[0].text == SAID and by_voice.results[0].probability > 0.9


@pytest.mark.slow
@over_both("heard_app")
def test_of_a_long_query_the_beginning_decides_and_costs(
    heard_app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, evidence = set[str](), PairEvidence.of

    def noted(self: PairEvidence, items: Any, texts: Any) -> Any:
        asked.update(texts)
        return evidence(self, items, texts)

    monkeypatch.setattr(PairEvidence, "of", noted)
    said = "There was heavy snow in the mountains last week."
    found = heard_app.media.search(Query(text=f"{said} {'and so on ' * 900}", k=3), TASK)
    assert [len(text.split()) for text in asked] == [40] and next(iter(asked)).startswith(said)
    assert len(found.results) <= 3
    asked.clear()
    heard_app.media.search(Query(text="snow" * 2000, k=3), TASK)
    assert asked == {("snow" * 75)}


def test_subtitles_hold_every_word_at_its_time() -> None:
    words = [
        {"word": w, "start": 3661.5 + i, "end": 3662.25 + i, "probability": 1.0}
        for i, w in enumerate(["He", "said", '"no".'])
    ]
    transcript = {"text": 'He said "no".', "words": words, "segments": [], "duration": 3670.0}
    assert '01:01:01,500 --> 01:01:04,250\nHe said "no".' in transcript_as("srt", transcript)
    assert transcript_as("vtt", transcript).startswith("WEBVTT\n\n01:01:01.500 --> ")
    assert json.loads(transcript_as("json", transcript))["words"] == words
    grid = transcript_as("textgrid", transcript)
    spans = [(float(a), float(b)) for a, b in re.findall(r"xmin = ([\d.]+)\n +xmax = ([\d.]+)\n +text", grid)]
    assert spans[0][0] == 0 and spans[-1][1] == 3670
    assert all(a[1] == b[0] for a, b in pairwise(spans)) and 'text = """no""."' in grid


@over_both("app")
def test_a_corrected_span_is_in_the_next_answer_and_no_text_to_train_on(app: App) -> None:
    from mmdemo.labeling.snapshot import take_snapshot

    item = recording(app)
    before = len(take_snapshot(app.ws, TASK).examples)
    words = app.speech.transcribe(item)["words"]
    seven = next(w for w in words if w["word"] == "seven")
    new = NewLabel("match", origin="span")
    app.labels.add_on(item.id, "seven", new, seven["start"] - 0.05, seven["end"] + 0.05)
    corrected = with_corrections(words, app.ws.pairs.browse(TASK, item=item.id))
    moved = [w for w in corrected if w.get("corrected")]
    assert [w["word"] for w in moved] == ["seven"]
    assert moved[0]["start"] == pytest.approx(seven["start"] - 0.05)
    assert len(take_snapshot(app.ws, TASK).examples) == before
    found = ask(app, "search", query="seven", task=TASK)["results"]
    assert "seven" not in {r["text"] for r in found}  # a word is no title of its recording
    told = ask(app, "search", query="seven", target="text", task=TASK)["results"]
    assert "seven" not in {r["text"] for r in told}
    assert all("seven" not in one["texts"] for one in ask(app, "samples", task=TASK)["samples"])


def test_a_file_of_a_transcript_has_what_people_corrected_in_every_format_and_from_the_command_line_too(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    item = recording(app)
    seven = next(w for w in app.speech.transcribe(item)["words"] if w["word"] == "seven")
    app.labels.add_on(item.id, "eight", NewLabel("match", origin="span"), seven["start"], seven["end"])
    for format in FORMATS:
        told = ask(app, "subtitles", item=item.id, format=format)["text"]
        assert "eight" in told and "seven" not in told, format
    grid = ask(app, "subtitles", item=item.id, format="textgrid")["text"]
    assert f"xmax = {item.duration_s:.3f}\n" in grid  # the silence after the last word too
    asked = ["transcribe", str(app.ws.media_path(item)), "--format", "textgrid"]
    assert main([*asked, "--workspace", str(app.settings.workspace)]) == 0
    assert capsys.readouterr().out == grid
    with pytest.raises(
        UserError, match=r"There is no format 'doc'. Use one of: json, srt, vtt, txt, textgrid"
    ):
        ask(app, "subtitles", item=item.id, format="doc")


@pytest.mark.slow
@over_both("app")
def test_the_queue_asks_first_where_words_lie_elsewhere_than_they_were_heard(app: App) -> None:
    items = app.ws.items.listed("audio", limit=3)
    for item in items:
        heard = app.speech.transcribe(item)
        segments = [{"text": heard["text"], "start": 0.0, "end": 1.0, "words": heard["words"]}]
        if item is items[1]:  # as if another version had put every word a second later
            late = [w | {"start": w["start"] + 1, "end": w["end"] + 1} for w in heard["words"]]
            segments = [segments[0] | {"words": late}]
        app.ws.transcripts.put(item.id, "another", "en", segments, 1.0, True)
    aligner = app.models.aligner(TASK)
    pairs = [p for p in app.ws.pairs.browse(TASK) if p.item in {i.id for i in items} and p.is_own]
    apart = dict(zip((p.item for p in pairs), apart_in_time(app.ws, aligner, pairs), strict=True))
    assert apart[items[1].id] == pytest.approx(1.0, abs=0.1)
    assert apart[items[0].id] < 0.1 and apart[items[2].id] < 0.1
    app.context.keeper_of(TASK).update()
    why = {w.pair: w.why for w in app.context.queue_of(TASK)._ranking._doubts(pairs, aligner)}
    assert why[next(p.id for p in pairs if p.item == items[1].id)] == "times"


def test_spoken_labels_come_back_the_same_on_import(
    app: App, make_app: Callable[..., App], tmp_path: Path
) -> None:
    item = recording(app)
    app.labels.add_on(item.id, "something else", NewLabel("mismatch", annotator="Ada"))
    app.labels.add_on(item.id, "train", NewLabel("match"), 0.5, 0.75)
    export_labels(app.ws, tmp_path / "out", TASK, "jsonl")
    other = make_app("other", samples=False).ws
    report = import_source(other, str(tmp_path / "out"), TASK)
    assert report.skipped == []

    def told(ws):  # type: ignore[no-untyped-def]
        rows = ws.pairs.browse(TASK, state="labelled")
        return {(p.item, p.text, p.verdict, p.start_s, p.end_s, p.split, p.annotator) for p in rows}

    assert told(other) == told(app.ws)


@pytest.mark.parametrize("kind", ["ljspeech", "common-voice", "librispeech", "audiofolder"])
def test_spoken_corpora_are_read_as_they_come(
    kind: str, make_app: Callable[..., App], tmp_path: Path
) -> None:
    wav = wav_bytes(np.sin(np.arange(RATE_HZ) / 9).astype(np.float32))
    other = wav_bytes(np.sin(np.arange(RATE_HZ) / 7).astype(np.float32))
    root = tmp_path / "corpus"

    def write(name: str, data: bytes | str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())

    if kind == "ljspeech":
        write("wavs/a.wav", wav)
        write("wavs/b.wav", other)
        write("metadata.csv", "a|Dr. One|Doctor One\nb|Two|\ngone|Three|Three\n")
    elif kind == "common-voice":
        write("clips/a.wav", wav)
        write("clips/b.wav", other)
        head = "client_id\tpath\tsentence\tup_votes\n"
        write("train.tsv", head + "x\ta.wav\tDoctor One\t2\nx\tgone.wav\tThree\t2\n")
        write("test.tsv", head + "x\tb.wav\tTwo\t2\n")
    elif kind == "librispeech":
        write("dev-clean/1/2/1-2-0000.flac", wav)
        write("dev-clean/1/2/1-2-0001.flac", other)
        write("dev-clean/1/2/1-2.trans.txt", "1-2-0000 DOCTOR ONE\n1-2-0001 TWO\n1-2-0002 THREE\n")
    else:
        write("a.wav", wav)
        write("b.wav", other)
        write("metadata.csv", "file_name,transcription\na.wav,Doctor One\nb.wav,Two\ngone.wav,Three\n")
    app = make_app("corpus", samples=False)
    report = import_source(app.ws, str(root), TASK)
    assert (report.items, report.pairs, len(report.skipped)) == (2, 2, 1)
    assert {p.text.lower() for p in app.ws.pairs.browse(TASK)} == {"doctor one", "two"}
    assert "missing" in report.skipped[0].reason
    if kind == "librispeech":
        assert {p.split for p in app.ws.pairs.browse(TASK)} == {"held-out"}


@pytest.mark.slow
def test_the_command_line_transcribes_and_refuses_in_one_line(
    tmp_path: Path, new_workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(new_workspace, tmp_path / "w")
    (tmp_path / "x.pdf").write_bytes(b"%PDF nothing")
    sample = next((SPEECH / "samples").glob("sentence-01-*.ogg"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mmdemo", *words, "--workspace", str(tmp_path / "w")]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2]
        )

    done = run("transcribe", str(sample), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == SAID
    assert main(["transcribe", str(tmp_path / "x.pdf"), "--workspace", str(tmp_path / "w")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "not a recording" in told
