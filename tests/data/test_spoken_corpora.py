"""Recordings and videos as corpora and tools lay them out: each is found with its texts and its side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
