"""Make the spoken samples and the sets that the speech benchmarks measure on, with free synthesisers.

    python assets/build_speech.py

It also fits how a similarity in the shared space becomes a probability (speech.json); what that says together
with the likelihood is fitted by fit_speech.py afterwards. It needs flite,
with the voices slt, rms, awb and kal16, and espeak-ng on the path. Each voice's recordings are joined to one
Opus file, and a table says which span of it holds which text. What is written is in the repository, so that
nobody needs to run it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from assets.sounds import spoken_set, wav_bytes  # noqa: E402
from mmdemo.media.audio import RATE_HZ, decode_audio, probe_audio, write_opus  # noqa: E402
from mmdemo.models.speech.recogniser import EncoderStates  # noqa: E402

VOICES = ("slt", "rms", "awb", "kal16", "en-us", "en-gb-x-rp")  # the first four are flite's
GAP_S = 0.4

WORDS = (  # noqa: SIM905
    "apple anchor balloon bottle bridge butter candle carrot castle cherry circle coffee copper cotton "
    "desert diamond doctor dragon engine feather finger forest garden giraffe guitar hammer harbor helmet "
    "hockey honey island jacket jungle kitchen ladder lemon lizard magnet market mirror monkey mountain "
    "needle ocean orange paddle panda parrot pencil pepper pillow planet pumpkin rabbit river rocket "
    "saddle sailor salmon silver spider tiger tomato tunnel turtle violin window zebra"
).split(" ")

SENTENCES = (
    "The train to the coast leaves at seven in the morning.",
    "Please water the tomatoes before it gets hot.",
    "She found an old map in the attic.",
    "The museum is closed on Mondays.",
    "We need three eggs and a cup of flour.",
    "A small boat crossed the harbor at night.",
    "The doctor will call you back this afternoon.",
    "Turn left after the stone bridge.",
    "My brother plays the violin in the city orchestra.",
    "The cat is asleep on the warm radiator.",
    "Tickets cost twelve dollars at the door.",
    "There was heavy snow in the mountains last week.",
    "He repaired the bicycle with a piece of wire.",
    "The library has a room for children.",
    "Open the window, it smells of paint in here.",
    "A yellow taxi waited in front of the hotel.",
    "The farmer sells honey and cheese on Saturdays.",
    "Our flight was delayed by two hours.",
    "They planted forty apple trees along the road.",
    "The battery of this phone lasts two days.",
    "A spider built its web above the door.",
    "The river rose by one meter during the storm.",
    "She speaks Spanish with her grandmother.",
    "Put the books back on the lower shelf.",
    "The rocket lifted off just before sunrise.",
    "Children were flying kites on the beach.",
    "The bakery runs out of bread by noon.",
    "An owl lives in the roof of the church.",
    "The meeting was moved to room two hundred and five.",
    "He drinks his coffee without sugar.",
    "Two elephants crossed the dusty road.",
    "The lighthouse can be seen from far away.",
    "I left my umbrella on the bus.",
    "The concert begins at half past eight.",
    "Fresh fish arrives at the market every day.",
    "The painter mixed blue and white.",
)
HELD_OUT = 12  # the last sentences are for measuring

# Names and jargon that a small recogniser spells in its own way.
NAMES = (  # noqa: SIM905
    "Krzysztof Nguyen Saoirse Xiaomei Bjork Siobhan Wojciech Thandiwe Yevgenia Ngozi Joaquim Anneliese "
    "Kubernetes Postgres Ansible Terraform Grafana Kafka Prometheus Jupyter Hadoop Nginx Redis Zookeeper"
).split(" ")
TRAIN_FRAMES = ("Please ask {} about it.", "We are waiting for {} again.", "I have never used {} before.")
HELD_OUT_FRAMES = (
    "Who is responsible for {} now?",
    "Let us talk about {} tomorrow.",
    "{} was mentioned twice today.",
)


def speak(voice: str, text: str) -> np.ndarray:
    """(N,) float32 at 16 kHz, silence at both ends cut."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        if voice in VOICES[:4]:
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        else:
            subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], check=True)
        samples = decode_audio(path)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return (0.6 * samples / np.abs(samples).max()).astype(np.float32)


def write_joined(name: str, rows: list[tuple[str, str, str]]) -> None:
    """One Opus file a voice, and NAME.csv with file_name, text, start, end, split and voice."""
    gap = np.zeros(round(GAP_S * RATE_HZ), np.float32)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for voice in dict.fromkeys(row[0] for row in rows):
            parts, at = [gap], len(gap)
            for _, text, split in (row for row in rows if row[0] == voice):
                said = speak(voice, text)
                table.append(
                    (
                        f"{name}-{voice}.ogg",
                        text,
                        f"{at / RATE_HZ:.4f}",
                        f"{(at + len(said)) / RATE_HZ:.4f}",
                        split,
                        voice,
                    )
                )
                parts += [said, gap]
                at += len(said) + len(gap)
            wav = Path(folder) / "joined.wav"
            wav.write_bytes(wav_bytes(np.concatenate(parts)))
            write_opus(wav, FOLDER / "speech" / f"{name}-{voice}.ogg")
    with (FOLDER / "speech" / f"{name}.csv").open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(("file_name", "text", "start", "end", "split", "voice"))
        out.writerows(table)


def write_samples() -> None:
    """One file a sentence, the voices in turn."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for i, text in enumerate(SENTENCES):
            voice = VOICES[i % len(VOICES)]
            pad = np.zeros(round(0.25 * RATE_HZ), np.float32)
            wav = Path(folder) / "one.wav"
            wav.write_bytes(wav_bytes(np.concatenate([pad, speak(voice, text), pad])))
            name = f"sentence-{i + 1:02d}-{voice}.ogg"
            write_opus(wav, FOLDER / "speech" / "samples" / name)
            split = "held-out" if i >= len(SENTENCES) - HELD_OUT else "train"
            data = (FOLDER / "speech" / "samples" / name).read_bytes()
            seconds = probe_audio(data).duration_s
            rows.append((f"samples/{name}", text, split, voice, hashlib.sha256(data).hexdigest(), seconds))
    with (FOLDER / "speech" / "samples.csv").open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(("file_name", "text", "split", "voice", "sha256", "duration"))
        out.writerows(rows)


def with_another_word(text: str, vocabulary: list[str], rng: np.random.Generator) -> str:
    """The text with one of its longer words replaced."""
    words = text.split()
    i = rng.choice([k for k, w in enumerate(words) if len(w) > 3])
    words[i] = str(rng.choice([w for w in vocabulary if w.casefold() not in words[i].casefold()]))
    return " ".join(words)


def fit_space() -> None:
    """Write speech.json, the calibration of the shared space, and samples.safetensors.

    Each word or name is asked its own text, the five others that the recogniser finds likeliest, and five at
    random; each sentence its own text and six with one word replaced. Recordings of three voices for words
    and names, and no held-out text, are used.
    """
    from safetensors.numpy import save_file

    from mmdemo.models.calibration import Calibration, fit_calibration
    from mmdemo.models.find_model import find_preset
    from mmdemo.models.load import load_towers
    from mmdemo.models.speech.aligner import SpeechTower
    from mmdemo.settings import load_settings

    target = FOLDER / "speech.json"
    target.write_text(json.dumps({"calibration": {"scale": 6.0, "bias": -2.0}}))
    towers, _ = load_towers(find_preset("whisper-tiny-en-minilm"), load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, SpeechTower)
    with (FOLDER / "speech" / "samples.csv").open(encoding="utf-8", newline="") as f:
        files = [FOLDER / "speech" / row["file_name"] for row in csv.DictReader(f)]
    features = tower.encode([decode_audio(path) for path in files]).astype(np.float16)
    save_file({"features": features}, FOLDER / "speech" / "samples.safetensors")
    rng = np.random.default_rng(0)
    rows: list[tuple[float, bool]] = []  # cosine, match

    def ask(state: EncoderStates, own: str, others: list[str]) -> None:
        texts = [own, *others]
        cosines = towers.text.encode(texts) @ tower.encode([state])[0, : tower.dim]
        rows.extend((float(value), i == 0) for i, value in enumerate(cosines))

    for name in ("words", "names"):
        texts, states = [], []
        for row, samples in spoken_set(name):
            if row["voice"] in {"rms", "slt", "en-us"} and (name == "words" or row["split"] == "train"):
                texts.append(row["text"])
                states.append(tower.prepare(samples))
        every = sorted(set(texts))
        for text, state in zip(texts, states, strict=True):
            ranked = np.argsort(-tower.recogniser.evidence(state, every).likelihood)
            near = [every[i] for i in ranked[:6] if every[i] != text][:5]
            ask(state, text, near + [every[i] for i in rng.permutation(len(every))[:6] if every[i] != text])
    with (FOLDER / "speech" / "samples.csv").open(encoding="utf-8", newline="") as f:
        spoken = [row for row in csv.DictReader(f) if row["split"] == "train"]
    vocabulary = sorted({w.strip(".,") for row in spoken for w in row["text"].split() if len(w) > 3})
    for row in spoken:
        others = [with_another_word(row["text"], vocabulary, rng) for _ in range(6)]
        ask(tower.prepare(decode_audio(FOLDER / "speech" / row["file_name"])), row["text"], others)
    table = np.array(rows, dtype=np.float64)
    match = table[:, 1].astype(bool)
    balanced = np.concatenate([np.repeat(np.flatnonzero(match), 10), np.flatnonzero(~match)])
    shared = fit_calibration(table[balanced, 0], match[balanced], Calibration(6.0, -2.0))
    calibration = {"scale": round(shared.scale, 4), "bias": round(shared.bias, 4)}
    target.write_text(json.dumps({"calibration": calibration}, indent=1) + "\n")
    print(f"{len(table)} pairs: {calibration}; now run assets/fit_speech.py")


def main() -> None:
    """Write everything below assets/speech, and speech.json."""
    if "--scores-only" in sys.argv:
        return fit_space()
    (FOLDER / "speech" / "samples").mkdir(parents=True, exist_ok=True)
    write_samples()
    write_joined("words", [(voice, word, "held-out") for voice in VOICES for word in WORDS])
    names = []
    for i, name in enumerate(NAMES):
        for j, frame in enumerate((*TRAIN_FRAMES, *HELD_OUT_FRAMES)):
            voice = VOICES[(i + j) % 4]
            names.append((voice, frame.format(name), "train" if j < len(TRAIN_FRAMES) else "held-out"))
    write_joined("names", names)
    fit_space()


if __name__ == "__main__":
    main()
