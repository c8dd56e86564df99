"""What can be done with videos: find moments, describe each shot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME
from mmdemo.errors import MediaError, MmdemoError
from mmdemo.models.protocols import Task
from mmdemo.service.captions import CaptionCounts, answer
from mmdemo.service.context import Context
from mmdemo.service.media import require_modality
from mmdemo.service.speech import Speech
from mmdemo.store.tables import Item
from mmdemo.store.texts import clean_text, joined
from mmdemo.store.words import held_share, stems

if TYPE_CHECKING:
    from PIL import Image

    from mmdemo.models.video.aligner import FrameFeatures, VideoAligner, VideoTower

VIDEO: Task = "video-text"
MOMENTS = 5
ASKED_S = 1800.0  # a longer video is looked through only when somebody agrees
HEARD_SHARE = 0.6  # of the query's words that a sentence must hold to be a moment
AROUND = 3  # words before and after those that were asked for
SUMMARY_SHOTS = 5
WRITTEN_PX = 384  # the shorter side of a frame that a captioner sees, or in which faces are looked for
FACED = 40  # shots of a video in which faces are looked for, evenly spread: 8 s where each takes 0.2 s


class Video:
    """Videos of an open workspace."""

    def __init__(self, context: Context, speech: Speech) -> None:
        self._context = context
        self._speech = speech  # what is said in them
        self._ws = context.ws

    def moments(
        self,
        item: Item,
        query: str,
        version: str | None = None,
        wait: bool = True,
        listen: bool = False,
    ) -> dict[str, Any]:
        """The JSON of `moments`: where in a video a text is shown or said, best first, and the curve.

        Args:
            item: the video.
            query: what to look for.
            version: by default the active one.
            wait: look through the whole video first; else answer from a few key frames where that was not
                done yet, and go on behind the page: `complete` says which.
            listen: write down what is said first, where that was not done yet; else what was heard so far
                counts. `note` says where it cannot be done, or what the model does not read of the query.

        Raises:
            MediaError: the item is no video.
            UserError: the query is empty.
        """
        query = clean_text(query)
        aligner, frames, complete = self._frames(item, version, wait)
        curve = aligner.curve(frames, query)
        from mmdemo.models.video.moments import find_moments
        from mmdemo.retrieval.query_note import doubt_of
        from mmdemo.retrieval.results import fit_of

        seen = find_moments(frames.times, curve, frames.shots, MOMENTS)
        note = self._listen(item) if listen else ""
        scores = np.array([m.score for m in seen])
        sure = aligner.probability_of(frames, [query] * len(seen), scores) if seen else scores
        doubt = doubt_of(aligner, query)
        told = aligner.measured and not doubt  # else there is no probability
        rows: list[dict[str, Any]] = [
            {
                "start": round(m.start, 3),
                "end": round(m.end, 3),
                "score": round(m.score, 4),
                "probability": round(float(probability), 4) if told else None,
                "found_by": "pictures",
                "text": "",
            }
            for m, probability in zip(seen, sure, strict=True)
        ]
        said = self._said(item, query)
        return {
            "model": aligner.version,
            "moments": [*said, *rows],
            "no_match": not said
            and (bool(doubt) or (told and all(fit_of(float(p)) == "none" for p in sure))),
            "curve": [
                [round(float(t), 3), round(float(s), 4)] for t, s in zip(frames.times, curve, strict=True)
            ],
            "shots": [[round(float(a), 3), round(float(b), 3)] for a, b in frames.shots],
            "complete": complete,
            "zones": aligner.zones.as_json() if told else None,
            "note": " ".join(filter(None, (doubt, note))),
        }

    def describe(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """The JSON of `caption` for a video: a caption of each shot that one is certain of, with its times,
        equal neighbours merged, and a short summary. In the middle of some shots faces are looked for.

        Raises:
            MediaError: the item is no video.
        """
        from mmdemo.models.captioning.proposals import LABELLED, propose_captions
        from mmdemo.retrieval.confirmed import ConfirmedTexts

        aligner, frames, _ = self._frames(item, version, wait=True)
        rows: list[dict[str, Any]] = []
        writer, counts = self._context.models.captioner(), CaptionCounts(self._ws, VIDEO)
        texts = ConfirmedTexts(self._ws, aligner, item.id)
        shots = frames.shots.tolist()
        faced = set(np.linspace(0, len(shots) - 1, min(len(shots), FACED), dtype=int).tolist())
        for i, (start, end) in enumerate(shots):
            features = frames.within(start, end)
            middle = partial(self._middle, item, start, end) if i in faced else None
            known = texts.near(aligner.project_media(features[None])[0], LABELLED, start, end)
            written = writer.caption(self._stills(item, start, end, writer.frames)) if writer else ""
            for best in propose_captions(aligner, features, known, 1, written, middle):
                if rows and rows[-1]["text"] == best.text and rows[-1]["end"] == round(start, 3):
                    rows[-1]["end"] = round(end, 3)
                else:
                    rows.append(counts.row(best, round(start, 3), round(end, 3)))
        return answer(aligner.version, rows, summary=summary_of(rows))

    def watch(self, item: Item, version: str | None = None, agreed: bool = False) -> dict[str, Any]:
        """Begin to look through a video, and to listen to it where it speaks; how far that is.

        A long one is only begun when somebody has agreed to the time that it takes: `estimate_s`.
        """
        from mmdemo.media.video import probe_video

        require_modality(item, VIDEO)
        aligner = cast("VideoAligner", self._context.models.aligner(VIDEO, version or None))
        state = self._context.frame_jobs.state(item, aligner.towers.media.id)
        facts = probe_video(self._ws.media_path(item))
        length_s = max(facts.duration_s, item.duration_s or 0.0)
        asks = not agreed and not state["complete"] and not state["running"] and length_s > ASKED_S
        found = {"rate": facts.rate_hz, "has_sound": facts.has_sound, "estimate_s": None}
        if asks:
            from mmdemo.retrieval.video.frames import estimate_s

            tower = cast("VideoTower", aligner.towers.media)
            found["estimate_s"] = round(estimate_s(tower, self._ws.media_path(item)), 1)
        elif not state["complete"]:
            self._context.frame_jobs.start(item, aligner.version)
        if facts.has_sound and not asks:
            self._speech.transcript(item, start=True)
        return self.watching(item, version) | found

    def watching(self, item: Item, version: str | None = None) -> dict[str, Any]:
        """How far looking through a video is, its shots, and what was heard in it so far."""
        from mmdemo.models.version_source import version_source
        from mmdemo.retrieval.video.frames import kept_seen

        asked = self._context.version_of(VIDEO, version)
        tower_id = version_source(self._ws, asked).preset.media_features
        seen = kept_seen(self._ws, tower_id, item.id)
        heard = self._speech.transcript(item)
        return self._context.frame_jobs.state(item, tower_id) | {
            "model": asked,
            "shots": [[round(a, 3), round(b, 3)] for a, b in seen.shots],
            "strip": seen.strip_s,
            "damaged": seen.damaged,
            "said": heard["segments"],
            "hearing": heard["running"],
        }

    def strip(self, item: Item) -> bytes:
        """The sprite strip of a video as WebP, by the active version's tower.

        Raises:
            MediaError: the item is no video, or was not looked through.
        """
        from mmdemo.models.version_source import version_source
        from mmdemo.retrieval.video.frames import kept_strip

        require_modality(item, VIDEO)
        preset = version_source(self._ws, self._ws.versions.active(VIDEO)).preset
        found = kept_strip(self._ws, preset.media_features, item.id)
        if not found:
            raise MediaError(f"{item.name} was not looked through yet.", "Open it in the Video tab.")
        return found

    def _frames(
        self, item: Item, version: str | None, wait: bool
    ) -> tuple[VideoAligner, FrameFeatures, bool]:
        from mmdemo.retrieval.video.frames import first_look, frame_features, kept_features

        require_modality(item, VIDEO)
        aligner = cast("VideoAligner", self._context.models.aligner(VIDEO, version or None))
        tower = cast("VideoTower", aligner.towers.media)
        kept = kept_features(self._ws, tower.id, item.id)
        is_long = (item.duration_s or 0.0) > ASKED_S
        if kept is None and not wait:
            if not is_long:
                self._context.frame_jobs.start(item, aligner.version)
            return aligner, first_look(tower, self._ws.media_path(item)), False
        if kept is None and is_long and not current().may(TRUSTED_WITH_TIME):
            raise MediaError(f"{item.name} is long.", "Have it looked through in the Video tab first.")
        return aligner, kept or frame_features(self._ws, tower, item), True

    def _stills(self, item: Item, start: float, end: float, count: int) -> list[Image.Image]:
        """So many frames of a shot, evenly spread and off its edges."""
        from mmdemo.media.video import frame_at

        path = self._ws.media_path(item)
        times = [start + (end - start) * (i + 1) / (count + 1) for i in range(count)]
        return [frame_at(path, t, WRITTEN_PX).image for t in times]

    def _middle(self, item: Item, start: float, end: float) -> Image.Image | None:
        """The frame in the middle of a shot; None where it cannot be had."""
        from mmdemo.media.video import frame_at

        try:
            frame = frame_at(self._ws.media_path(item), (start + end) / 2, WRITTEN_PX)
        except MediaError:
            return None
        return frame.image if frame.time_s >= start else None

    def _listen(self, item: Item) -> str:
        """Write down what is said in a video; returns why not, where it cannot be done."""
        try:
            self._speech.transcribe(item)
        except MediaError:
            return ""  # it has no sound, or none that can be read: nothing is said in it
        except MmdemoError as e:
            return f"Only the pictures were looked through. {e}"
        return ""

    def _said(self, item: Item, query: str) -> list[dict[str, Any]]:
        """The sentences of a video's transcript that hold the query's words."""
        wanted = stems(query)
        rows = []
        for segment in self._speech.sentences(item) if wanted else []:
            share = held_share(wanted, segment["text"])
            if share < HEARD_SHARE:
                continue
            words = segment["words"]
            hits = [i for i, w in enumerate(words) if wanted & stems(w["word"])]
            if not hits:
                continue
            part = words[max(0, hits[0] - AROUND) : hits[-1] + AROUND + 1]
            rows.append(
                {
                    "start": part[0]["start"],
                    "end": part[-1]["end"],
                    "score": round(share, 4),
                    "probability": round(share, 4),
                    "found_by": "words",
                    "text": joined(w["word"] for w in part),
                }
            )
        return sorted(rows, key=lambda r: -r["score"])[:MOMENTS]


def summary_of(rows: list[dict[str, Any]]) -> str:
    """What a video shows, in a sentence: what it is sure of, in the order of time; empty: of nothing."""
    best = {r["text"]: r for r in sorted(rows, key=lambda r: r["score"]) if r["sure"] == "sure"}
    chosen = sorted(best.values(), key=lambda r: -r["score"])[:SUMMARY_SHOTS]
    texts = [r["text"] for r in sorted(chosen, key=lambda r: r["start"])]
    if not texts:
        return ""
    listed = texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
    return f"Shows {listed}."
