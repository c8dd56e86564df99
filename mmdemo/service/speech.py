"""What can be done with recordings: transcribe, align word by word, name."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, cast

from mmdemo.errors import UserError
from mmdemo.media.rate import RATE_HZ
from mmdemo.models.protocols import Task
from mmdemo.models.speech.same_words import SameWords
from mmdemo.service.captions import CaptionCounts, answer
from mmdemo.service.context import Context
from mmdemo.service.media import require_modality
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import Item
from mmdemo.store.texts import clean_text, joined

if TYPE_CHECKING:
    from mmdemo.models.speech.recogniser import SpeechRecogniser
    from mmdemo.models.speech.word_alignment import Word

SPEECH: Task = "speech-text"
SAID = 0.05  # a word whose tokens are less likely, given the sound and the words before, was not said
SHORT_S = 29.0  # what is aligned in one go
FASTEST, SOME = 40, 400  # characters a second that nobody speaks, and so many more that may be wrong
MOST_ALIGNED = 10  # stretches of a long recording that are aligned: each takes up to a second
TITLE_WORDS = 8
LEAST_LIVE_BYTES, MOST_LIVE_BYTES = 2 * RATE_HZ // 10, 2 * RATE_HZ * 31  # a tenth of a second, half a minute


class Speech:
    """Recordings of an open workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ws = context.ws

    def transcribe(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `transcribe`, made now unless it is kept.

        Raises:
            MediaError: the item is no recording.
        """
        require_modality(item, SPEECH)
        return self._context.transcripts.transcribe(item, self._context.version_of(SPEECH, version))

    def transcript(self, item: Item, version: str | None = None, start: bool = False) -> dict[str, Any]:
        """Where a transcript stands; begun behind the page where asked to."""
        require_modality(item, SPEECH)
        version = self._context.version_of(SPEECH, version)
        state = self._context.transcripts.state(item, version)
        if start and not state["complete"]:
            self._context.transcripts.start(item, version)
            state = self._context.transcripts.state(item, version)
        return state

    def stop(self, item: Item, version: str | None = None) -> None:
        """Ask a transcript to stop; what there is of it is kept.

        Raises:
            UserError: there is no such version of recordings.
        """
        self._context.transcripts.stop(item, self._context.version_of(SPEECH, version))

    def sentences(self, item: Item) -> list[dict[str, Any]]:
        """What was heard so far in an item by the active version: text, start, end and words of each."""
        kept = self._ws.transcripts.get(item.id, self._context.version_of(SPEECH))
        return kept.segments if kept else []

    def title(self, text: str) -> str:
        """A title made from a transcript: its first sentence, cut at a few words."""
        first = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0].rstrip(".!?,;: ")
        words = first.split()
        return " ".join(words[:TITLE_WORDS]) + ("…" if len(words) > TITLE_WORDS else "")

    def caption(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption` for a recording: the transcript, and a title made from it."""
        from mmdemo.models.protocols import Caption

        heard = self.transcribe(item, version)
        words, counts = heard["words"], CaptionCounts(self._ws, SPEECH)
        score = round(sum(w["probability"] for w in words) / max(1, len(words)), 4)
        end = words[-1]["end"] if words else item.duration_s
        said = {"transcript": heard["text"], "title": self.title(heard["text"])} if heard["text"] else {}
        rows = [counts.row(Caption(text, score, source), 0.0, end) for source, text in said.items()]
        return answer(heard["model"], rows, heard["note"])

    def align_words(self, item: Item, text: str, version: str | None = None) -> dict[str, Any]:
        """When each word of a text is said in a recording, and whether it is said at all.

        Up to half a minute is aligned at once. In a longer recording the words that the transcript has too
        take its times, and what lies between them is aligned there.

        Raises:
            UserError: the text is empty, too long to have been said, or not what is said at too many places.
            MediaError: the item is no recording.
        """
        text = clean_text(text)
        require_modality(item, SPEECH)
        _require_sayable(text, item.duration_s or 0.0)
        version = self._context.version_of(SPEECH, version)
        from mmdemo.models.speech.aligner import recogniser_of
        from mmdemo.retrieval.embed import spoken_language

        tower = self._context.models.aligner(SPEECH, version).towers.media
        recogniser = recogniser_of(tower)
        language = spoken_language(self._ws, tower, item)
        if (item.duration_s or 0.0) <= SHORT_S:
            from mmdemo.media.audio import decode_audio
            from mmdemo.media.voice_activity import has_speech

            samples = decode_audio(self._ws.media_path(item))
            silent = not has_speech(samples)
            words = recogniser.align_words(samples, text, language=language)
        else:
            words, silent = self._align_long(item, text, version, recogniser, language), False
        rows = [asdict(w) | {"said": not silent and w.probability >= SAID} for w in words]
        unheard = not silent and not all(row["said"] for row in rows)
        if unheard:  # what the transcript has was said all the same
            there = _same_words([w.word for w in words], self.transcribe(item, version)["words"])
            for a, _, count in there.get_matching_blocks():
                for row in rows[a : a + count]:
                    row["said"] = True
        for row in rows:
            row["probability"] = round(row["probability"], 4)
        missing = [row["word"].strip(".,;:!?…") for row in rows if not row["said"]]
        note = "No speech was found." if silent else ""
        if missing and not silent:
            were = "was" if len(missing) == 1 else "were"
            note = f"{len(missing)} of {len(rows)} words {were} not heard: {', '.join(missing[:12])}."
        return {"model": version, "text": text, "words": rows, "note": note}

    def _align_long(
        self, item: Item, text: str, version: str, recogniser: SpeechRecogniser, language: str
    ) -> list[Word]:
        from mmdemo.media.audio import decode_audio
        from mmdemo.models.speech.word_alignment import Word

        heard = [Word(**w) for w in self.transcribe(item, version)["words"]]
        wanted = text.split()
        same = _same_words(wanted, [asdict(w) for w in heard])
        known: dict[int, Word] = {}
        for a, c, count in same.get_matching_blocks():
            for i, w in zip(range(a, a + count), heard[c : c + count], strict=True):
                known[i] = Word(wanted[i], w.start, w.end, w.probability)
        other = [(a, b, c, d) for kind, a, b, c, d in same.get_opcodes() if kind != "equal" and a < b]
        places = [
            Place(a, b, *_between([(w.start, w.end) for w in heard], c, d, item.duration_s or 0.0))
            for a, b, c, d in other
        ]
        out: list[Word] = []
        at = 0
        for place in few_places(places):
            words, start_s = " ".join(wanted[place.first : place.after]), max(0.0, place.start_s - 0.1)
            _require_sayable(words, place.end_s - place.start_s)
            samples = decode_audio(self._ws.media_path(item), start_s, place.end_s + 0.1)
            out += [known[i] for i in range(at, place.first)]
            out += recogniser.align_words(samples, words, start_s, language)
            at = place.after
        return out + [known[i] for i in range(at, len(wanted))]

    def live_words(self, data: bytes) -> dict[str, Any]:
        """What is said in 16-bit samples at 16 kHz, while it is being said; times are seconds in them."""
        import numpy as np

        from mmdemo.models.speech.aligner import recogniser_of

        if len(data) < LEAST_LIVE_BYTES or len(data) % 2:
            return {"words": []}
        samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0
        recogniser = recogniser_of(self._context.models.aligner(SPEECH).towers.media)
        found = next(iter(recogniser.transcribe([samples])), ([], 0.0))[0]
        return {"words": [asdict(w) for segment in found for w in segment.words]}


@dataclass(frozen=True)
class Place:
    """Words of a text that are to be aligned, and between which times."""

    first: int  # of the words
    after: int  # the last
    start_s: float
    end_s: float


def _between(heard: list[tuple[float, float]], first: int, after: int, end_s: float) -> tuple[float, float]:
    """The seconds in which something else is said than the words of a transcript from `first` to `after`."""
    start_s = heard[first - 1][1] if first else (heard[0][0] if heard else 0.0)
    end_s = heard[after][0] if after < len(heard) else end_s
    return start_s, min(max(end_s, start_s + 0.2), start_s + SHORT_S)


def few_places(places: list[Place]) -> list[Place]:
    """The places, where there are many each with those that follow within half a minute.

    Raises:
        UserError: there are too many even so.
    """
    if len(places) <= MOST_ALIGNED:
        return places
    joined_up: list[Place] = []
    for place in places:
        last = joined_up[-1] if joined_up else None
        if last is not None and place.end_s - last.start_s <= SHORT_S:
            joined_up[-1] = replace(last, after=place.after, end_s=max(last.end_s, place.end_s))
        else:
            joined_up.append(place)
    if len(joined_up) > MOST_ALIGNED:
        raise UserError(
            f"The text is not what is heard at {len(places)} places.", "Align a part of the recording."
        )
    return joined_up


def _require_sayable(text: str, seconds: float) -> None:
    """Refuse a text that nobody says in so many seconds, however fast.

    Raises:
        UserError: it is one.
    """
    if len(text) > SOME + FASTEST * seconds:
        raise UserError(
            "The text is too long to have been said in this recording.",
            "Shorten it, or choose a longer recording.",
        )


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum())


def _same_words(wanted: list[str], heard: list[dict[str, Any]]) -> SameWords:
    """Which words of a text are those of a transcript, in their order, but for capitals and stops."""
    return SameWords([_plain(w) for w in wanted], [_plain(w["word"]) for w in heard])


def corrected(transcript: dict[str, Any], pairs: list[PairView]) -> dict[str, Any]:
    """The JSON of a transcript with the spans and spellings that people gave its words, in its text too."""
    words = with_corrections(transcript["words"], pairs)
    at, segments = 0, []
    for segment, after in zip_longest(transcript["segments"], transcript["segments"][1:]):
        first = at
        while at < len(words) and (after is None or transcript["words"][at]["start"] < after["start"]):
            at += 1
        own = words[first:at]
        told = joined(w["word"] for w in own) if any(w.get("corrected") for w in own) else segment["text"]
        segments.append(segment | {"text": told})
    text = " ".join(s["text"] for s in segments)
    return transcript | {"words": words, "segments": segments, "text": text}


def with_corrections(words: list[dict[str, Any]], pairs: list[PairView]) -> list[dict[str, Any]]:
    """The words with the spans and spellings that people gave them."""
    spans = [p for p in pairs if p.start_s is not None and p.end_s is not None and p.is_confirmed]
    out = [dict(word) for word in words]
    for pair in sorted(spans, key=lambda p: p.label or 0):
        start, end = cast(float, pair.start_s), cast(float, pair.end_s)
        near = [w for w in out if w["start"] < end and start < w["end"]]
        if near:
            best = max(near, key=lambda w: min(w["end"], end) - max(w["start"], start))
            best.update(word=pair.final_text, start=start, end=end, corrected=True)
    return out
