"""Search in recordings: what was said, what is spoken about, and what cannot be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from mmdemo.models.aligner import HeadAligner
from mmdemo.models.negation import negation_note
from mmdemo.models.speech.aligner import ABOUT, SAID, hears_words
from mmdemo.models.speech.language import NO_SPEECH, TEXTS_IN, language_note, query_note
from mmdemo.retrieval.candidates import Answer
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import Result, Results
from mmdemo.retrieval.search import PLACED, Searcher
from mmdemo.retrieval.serving import Serving
from mmdemo.store.texts import clean_text

# Of a query, for its likelihood: by 1,000 characters, which are over 200 tokens, 36 recordings took ten
# seconds of a processor, by 300 2.7 and by 100 one.
MOST_WORDS, DECIDES = 40, 300  # words and characters


class SpeechSearcher(Searcher):
    """As `Searcher`, with both probabilities of each answer."""

    def search(self, query: Query) -> Results:
        """See `Searcher.search`."""
        tower = self._keeper.serving().aligner.towers.media
        if query.medium is not None and hears_words(tower):  # what is heard of it is asked for several times
            query = replace(query, medium=tower.prepare(query.medium))
        return super().search(query)

    def _found(self, serving: Serving, query: Query, k: int, lost: Collection[str]) -> Results:
        """See `Searcher._found`."""
        if not hears_words(serving.aligner.towers.media):
            return super()._found(serving, query, k, lost)
        note = self._note(serving.aligner, query)
        if note == NO_SPEECH and not query.text.strip():
            stale = self._keeper.status.stale_share
            return Results(serving.version, (), stale, True, note=note)
        found = super()._found(serving, query, k, lost)
        if not found.results:
            return replace(found, note=note)
        return self._with_both(serving, query, replace(found, note=note))

    def _places(
        self, serving: Serving, query: Query, answers: Sequence[Answer]
    ) -> dict[str, tuple[float, float]]:
        """As `Searcher._places`, of those that say it: what is only spoken about has no place."""
        if not answers or not hears_words(serving.aligner.towers.media) or not self._by_words(query):
            return {}
        text, ids = self._decided_by(query), [a.id for a in answers]
        evidence = self._evidence_of(serving.aligner).of(ids, [text] * len(ids))
        said = serving.aligner.judged(evidence, np.array([a.near for a in answers]))
        say_it = [a for a, sure in zip(answers, said.tolist(), strict=True) if sure >= PLACED]
        return super()._places(serving, query, say_it)

    def _doubt(self, aligner: HeadAligner, query: Query) -> str:
        """None: what is heard is compared with the words themselves; `_note` says what does not work."""
        return ""

    def _decided_by(self, query: Query) -> str:
        """The beginning of a long query: the likelihood of each word is asked of each recording, and no more
        is needed to tell what was said from what was not.
        """
        return " ".join(clean_text(query.text)[:DECIDES].split(" ")[:MOST_WORDS])

    def _note(self, aligner: HeadAligner, query: Query) -> str:
        """What does not work with a query: nobody speaks in it, or its language is not known."""
        medium = self._evidence_of(aligner).medium(query.item) if query.item else query.medium
        return (aligner.told_of(medium)[1] if medium is not None else "") or query_note(query.text)

    def _with_both(self, serving: Serving, query: Query, found: Results) -> Results:
        """The answers with the probabilities that they were said and that they are what is spoken about."""
        aligner = serving.aligner
        evidence = self._known(aligner, query, found.results)
        if evidence is None:
            return found
        near = np.array([r.score for r in found.results])
        both = aligner.also(evidence, near)
        sides = zip(found.results, both[SAID].tolist(), both[ABOUT].tolist(), strict=True)
        rows = [replace(r, said=said, about=about) for r, said, about in sides]
        measure = aligner.measure(evidence, near)
        unread = negation_note(query.text) if measure == ABOUT else ""
        if unread:
            rows = [r if r.found_by else replace(r, probability=None, doubt=True) for r in rows]
        none = found.no_match or all(r.fit == "none" for r in rows)
        note = found.note or unread or self._of_languages(aligner, query, found.results)
        return replace(found, results=tuple(rows), measure=measure, no_match=none, note=note)

    def _known(self, aligner: HeadAligner, query: Query, results: Sequence[Result]) -> np.ndarray | None:
        """(K, E) evidence about the answers, which the search asked for already; None: for none."""
        if query.target == "media":
            if not self._by_words(query):  # likes of a recording: nothing is said of a text
                return None
            ids = [r.item for r in results]
            return self._evidence_of(aligner).of(ids, [self._decided_by(query)] * len(ids))
        if query.text.strip():
            return None
        texts = [r.text for r in results]
        if query.item:
            return self._evidence_of(aligner).of([query.item] * len(texts), texts)
        return aligner.evidence(query.medium, texts)

    def _of_languages(self, aligner: HeadAligner, query: Query, results: Sequence[Result]) -> str:
        """What does not work with answers in a language that the text tower does not know."""
        if query.target != "media":
            return ""
        spoken = [self._evidence_of(aligner).medium(r.item).language for r in results]
        return language_note(next((code for code in spoken if code not in ("", TEXTS_IN)), ""))
