"""Recordings and videos as corpora and tools lay them out: each is found with its texts and its side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from tests.data.conftest import CUE, Files, Found, lay_out, read_all

WAV = b"x"
TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held-out"


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows))


VOICE = "client_id\tpath\tsentence\tlocale\n"
MSR_VTT = {
    "videos": [{"video_id": "video0", "split": "train"}, {"video_id": "video1", "split": "validate"}],
    "sentences": [{"video_id": "video0", "caption": "a"}, {"video_id": "video1", "caption": "b"}],
}
SOUND: dict[str, tuple[Files, str, Found]] = {
    "Common Voice below the folder of its version": (
        {
            "cv/en/train.tsv": f'{VOICE}x\ta.mp3\tHe said "no".\ten\n',
            "cv/en/dev.tsv": f"{VOICE}x\tb.mp3\tTwo\ten\n",
            "cv/en/test.tsv": f"{VOICE}x\tc.mp3\tThree\ten\n",
            "cv/en/clip_durations.tsv": "clip\tduration[ms]\na.mp3\t3000\n",
            **{f"cv/en/clips/{name}.mp3": WAV for name in "abc"},
        },
        "common-voice",
        {
            "cv/en/clips/a.mp3": (['He said "no".'], TRAIN),
            "cv/en/clips/b.mp3": (["Two"], VALIDATION),
            "cv/en/clips/c.mp3": (["Three"], HELD_OUT),
        },
    ),
    "NeMo's manifests": (
        {
            "train_manifest.json": lines({"audio_filepath": "/d/wavs/a.wav", "duration": 1, "text": "one"}),
            "val_manifest.json": lines({"audio_filepath": "wavs/b.wav", "duration": 1, "text": "two"}),
            "wavs/a.wav": WAV,
            "wavs/b.wav": WAV,
        },
        "manifest",
        {"wavs/a.wav": (["one"], TRAIN), "wavs/b.wav": (["two"], HELD_OUT)},
    ),
    "LJSpeech in the folder that its archive makes": (
        {"LJSpeech-1.1/metadata.csv": 'a|"Print" 1|"Print" one\n', "LJSpeech-1.1/wavs/a.flac": WAV},
        "ljspeech",
        {"LJSpeech-1.1/wavs/a.flac": (['"Print" one'], "")},
    ),
    "LJSpeech's layout with names of columns": (
        {"metadata.csv": "audio_file|text|speaker_name\nwavs/a.wav|one|x\n", "wavs/a.wav": WAV},
        "manifest",
        {"wavs/a.wav": (["one"], "")},
    ),
    "LJSpeech's layout in wav/ and metadata.txt": (
        {"metadata.txt": "a|1|one\n", "wav/a.wav": WAV},
        "ljspeech",
        {"wav/a.wav": (["one"], "")},
    ),
    "LibriSpeech's layout in other sound than FLAC": (
        {
            "train-clean-100/84/1/84-1.trans.txt": "84-1-0000 GO DO YOU\n84-1-0001 HE SAID\n",
            "train-clean-100/84/1/84-1-0000.wav": WAV,
            "train-clean-100/84/1/84-1-0001.mp3": WAV,
        },
        "librispeech",
        {
            "train-clean-100/84/1/84-1-0000.wav": (["Go do you"], TRAIN),
            "train-clean-100/84/1/84-1-0001.mp3": (["He said"], TRAIN),
        },
    ),
    "Multilingual LibriSpeech": (
        {
            "mls/train/transcripts.txt": "1_2_000001\thola mundo\n1_2_000002\tadios\n",
            "mls/train/audio/1/2/1_2_000001.flac": WAV,
            "mls/train/audio/1/2/1_2_000002.opus": WAV,
            "mls/dev/transcripts.txt": "3_2_000001\tuno\n",
            "mls/dev/audio/3/2/3_2_000001.flac": WAV,
        },
        "mls",
        {
            "mls/train/audio/1/2/1_2_000001.flac": (["hola mundo"], TRAIN),
            "mls/train/audio/1/2/1_2_000002.opus": (["adios"], TRAIN),
            "mls/dev/audio/3/2/3_2_000001.flac": (["uno"], HELD_OUT),
        },
    ),
    "Kaldi's folders of sides, moved from where wav.scp says": (
        {
            "data/train/wav.scp": "u1 /corpus/wav/a.wav\n",
            "data/train/text": "u1 hello there\n",
            "data/test/wav.scp": "u2 wav/b.wav\n",
            "data/test/text": "u2 good  bye\n",
            "wav/a.wav": WAV,
            "wav/b.wav": WAV,
        },
        "kaldi",
        {"wav/a.wav": (["hello there"], TRAIN), "wav/b.wav": (["good bye"], HELD_OUT)},
    ),
    "VCTK": (
        {
            "txt/p225/p225_001.txt": "Please call Stella.\n",
            "wav48/p225/p225_001_mic1.flac": WAV,
            "wav48/p225/p225_001_mic2.flac": WAV,
        },
        "captions",
        {f"wav48/p225/p225_001_mic{i}.flac": (["Please call Stella."], "") for i in (1, 2)},
    ),
    "LibriTTS": (
        {"1/2/1_2_0.wav": WAV, "1/2/1_2_0.normalized.txt": "one", "1/2/1_2_0.original.txt": "1"},
        "captions",
        {"1/2/1_2_0.wav": (["one"], "")},
    ),
    "AISHELL's transcripts": (
        {"transcript/t_v0.8.txt": "B02 而 对 楼市\n", "wav/train/S1/B02.wav": WAV},
        "manifest",
        {"wav/train/S1/B02.wav": (["而 对 楼市"], TRAIN)},
    ),
    "Kaldi's text": (
        {"text": "a one two\nb three\n", "utt2spk": "a s\nb s\n", "wavs/a.wav": WAV, "wavs/b.wav": WAV},
        "manifest",
        {"wavs/a.wav": (["one two"], ""), "wavs/b.wav": (["three"], "")},
    ),
    "Speech Commands, whose lists hold files out": (
        {"yes/a.wav": WAV, "no/b.wav": WAV, "no/c.wav": WAV, "testing_list.txt": "no/b.wav\n"}
        | {"validation_list.txt": "no/c.wav\n"},
        "classes",
        {
            "yes/a.wav": (["yes"], TRAIN),
            "no/b.wav": (["no"], HELD_OUT),
            "no/c.wav": (["no"], VALIDATION),
        },
    ),
    "Clotho": (
        {"clotho_captions_evaluation.csv": "file_name,caption_1,caption_2\nb.wav,e1,e2\n"}
        | {"evaluation/b.wav": WAV},
        "manifest",
        {"evaluation/b.wav": (["e1", "e2"], HELD_OUT)},
    ),
}
VIDEOS: dict[str, tuple[Files, str, Found]] = {
    "MSR-VTT's folder": (
        {"info.json": json.dumps(MSR_VTT), "TrainValVideo/video0.mp4": "", "TrainValVideo/video1.mp4": ""},
        "msr-vtt",
        {"TrainValVideo/video0.mp4": (["a"], TRAIN), "TrainValVideo/video1.mp4": (["b"], HELD_OUT)},
    ),
    "ActivityNet's folder": (
        {
            "train.json": '{"v_a": {"timestamps": [[0, 1], [1, 2]], "sentences": ["A", "B"]}}',
            "val_1.json": '{"v_b": {"timestamps": [[0, 1]], "sentences": ["C"]}}',
            "videos/v_a.mp4": "",
            "videos/v_b.mkv": b"x",
        },
        "activitynet-captions",
        {"videos/v_a.mp4": (["A", "B"], TRAIN), "videos/v_b.mkv": (["C"], HELD_OUT)},
    ),
    "Charades-STA": (
        {"charades_sta_train.txt": "AO8RW 0.0 6.9##a person sits.\n", "Charades_v1/AO8RW.mp4": ""},
        "manifest",
        {"Charades_v1/AO8RW.mp4": (["a person sits."], TRAIN)},
    ),
    "subtitles in a folder of their own": (
        {"talk.mp4": "", "subs/talk.srt": CUE.format("hello")},
        "subtitles",
        {"talk.mp4": (["hello"], "")},
    ),
    "subtitles of two languages, and a name with dots": (
        {"a.v1.mp4": "", "a.v1.en-US.vtt": "WEBVTT\n\n00:00.500 --> 00:02.000\nhello\n"}
        | {"a.v1.de.srt": CUE.format("hallo")},
        "subtitles",
        {"a.v1.mp4": (["hallo", "hello"], "")},
    ),
    "recordings' transcripts with times before those without": (
        {"a.wav": WAV, "a.srt": CUE.format("hello")},
        "subtitles",
        {"a.wav": (["hello"], "")},
    ),
}
CORPORA = [("speech-text", SOUND), ("video-text", VIDEOS)]


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, told in CORPORA for name in told])
def test_what_people_have_is_read_as_what_it_is(tmp_path: Path, task: str, name: str) -> None:
    files, layout, expected = dict(CORPORA)[task][name]
    assert read_all(lay_out(tmp_path, files), task)[:2] == (layout, expected)


def test_the_segments_of_kaldi_are_spans_and_its_commands_are_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    files: Files = {
        "wav.scp": f"r1 wav/a.wav\nr2 touch {ran} |\nr3 | touch {ran}\n",
        "segments": "r1-1 r1 0.00 0.08\nr1-2 r1 0.10 -1\nr1-3 r1 soon 2\nr1-4 r1 1 2\nr2-1 r2 0 1\n",
        "text": "r1-1 hello there\nr1-2 good bye\nr1-3 x\nr2-1 y\nr3 z\nr4 w\n",
        "wav/a.wav": WAV,
    }
    with open_source(str(lay_out(tmp_path / "in", files)), task="speech-text") as opened:
        rows = list(opened.rows())
    found = [(row.text, row.start_s, row.end_s) for row in rows if isinstance(row, Row)]
    assert found == [("hello there", 0.0, 0.08), ("good bye", 0.1, None)]
    reasons = {row.file: row.reason for row in rows if not isinstance(row, Row)}
    assert reasons.keys() == {"r1-3", "r1-4", "r2-1", "r3", "r4"}
    assert "no pair of numbers" in reasons["r1-3"] and "has no text" in reasons["r1-4"]
    assert "commands are not run" in reasons["r2-1"] and "commands are not run" in reasons["r3"]
    assert "no recording of r4" in reasons["r4"] and not ran.exists()
