"""Search: words or a picture in, the nearest pictures or texts out, and a word when none is near enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from mmdemo.errors import UserError
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.protocols import Task
from mmdemo.retrieval.by_words import word_hits
from mmdemo.retrieval.candidates import Answer, Candidates, beside, ordered
from mmdemo.retrieval.carried import Carried
from mmdemo.retrieval.embed import feature_file, text_vectors, version_file
from mmdemo.retrieval.evidence import PairEvidence
from mmdemo.retrieval.feedback import Feedback, alike, feedback_on, middle_of, moved
from mmdemo.retrieval.filters import require_item, wanted
from mmdemo.retrieval.hubness import REACH, Hubs, has_hubs
from mmdemo.retrieval.odds import DECIDED, at_search_rate, knows_more, of_search, slope
from mmdemo.retrieval.pages import HEAD, behind, in_order, page_of
from mmdemo.retrieval.query import MAX_K, Query
from mmdemo.retrieval.query_note import doubt_of
from mmdemo.retrieval.results import Result, Results, cut, of_texts, shown_with
from mmdemo.retrieval.serving import IndexKeeper, Serving
from mmdemo.retrieval.shown import Shown
from mmdemo.retrieval.speech.heard import HeardSounds
from mmdemo.retrieval.tries import answered
from mmdemo.store.pairs import PairView
from mmdemo.store.texts import clean_text, text_key
from mmdemo.store.workspace import Workspace

DENIED = 0.05  # what is left of the number of an answer that people crossed
FAR = 2.0  # behind all that was looked at
PLACED = 0.5  # the least probability of an answer whose place in the recording is looked for


class Searcher(Carried):
    """Answers queries from the index that serves."""

    def __init__(self, ws: Workspace, keeper: IndexKeeper, task: Task) -> None:
        self._ws = ws
        self._keeper = keeper
        self._task: Task = task
        self._evidence: tuple[HeadAligner, PairEvidence] | None = None  # of the aligner that serves
        self._sounds = HeardSounds()
        self._shown = Shown(ws, task)
        self._hubs = Hubs(ws, task) if has_hubs(task) else None
        self._lock = threading.Lock()

    def search(self, query: Query) -> Results:
        """The nearest items or texts.

        Raises:
            UserError: nothing to look for, an item that is not there, or a model whose scores are no numbers.
        """
        if query.target not in {"media", "text"}:
            raise UserError(f"The target {query.target!r} is unknown.", "Use media or text.")
        k = max(1, min(int(query.k), MAX_K))
        if query.item:
            require_item(self._ws, self._task, query.item)
        query = replace(query, only=wanted(self._ws, self._task, query))
        return answered(self._keeper, lambda serving, lost: self._found(serving, query, k, lost), query.item)

    def _found(self, serving: Serving, query: Query, k: int, lost: Collection[str]) -> Results:
        """What an index answers, without the items that are lost."""
        if query.target == "text":
            return self._search_texts(serving, query, k)
        judged = self._feedback(query).without(lost)
        if query.text.strip():
            query = replace(query, words=self._words(serving.aligner, query))
        query = replace(
            query, judged=judged, vector=self._judged(serving, judged, self._query_vector(serving, query))
        )
        depth = self._depth(serving, query)
        found = self._candidates(serving, query, max(HEAD, depth) + len(lost))
        if self._by_words(query):
            found = self._with_words(serving, query, found, judged)
        found = found.without(lost)
        said = {i: hit.sure for i, hit in found.words.items()}

        def decide(rows: np.ndarray) -> np.ndarray:
            ids = [found.ids[i] for i in rows]
            by_words = np.array([said.get(i, 0.0) for i in ids])
            denied = np.array([DENIED if i in judged.crossed else 1.0 for i in ids])
            near = (found.near - found.less)[rows]
            return denied * (1 - (1 - self._numbers(serving, query, ids, near)) * (1 - by_words))

        sure = sum(hit.sure > 0 for hit in found.words.values())  # they stand among the first
        answers = ordered(found, depth + sure if depth else len(found.ids), decide, self._beside(serving))
        answers = in_order(self._ws, answers, query.sort, self._by_likeness(query))
        if query.offset + k > len(answers) >= HEAD - len(lost):
            answers = behind(answers, self._further(serving, query, lost))
        shown = page_of(answers, k, query.offset, judged.crossed)
        return self._results(serving, shown, query, {i for i, sure in said.items() if sure > 0})

    def _further(self, serving: Serving, query: Query, lost: Collection[str]) -> list[Answer]:
        """All that may answer, by similarity alone: what follows the answers that are decided about."""
        found = self._candidates(serving, query, len(serving.index)).without(lost)
        return ordered(found, 0, lambda rows: np.empty(0), self._beside(serving))

    def _with_words(self, serving: Serving, query: Query, found: Candidates, judged: Feedback) -> Candidates:
        """The candidates with those that the query's words find, and those that people crossed."""
        there = {*found.ids, *self._shown.out(serving)}
        unsaid = "" if query.feedback else text_key(query.text)
        hits = word_hits(self._ws, self._task, query.text, query.given, query.only, unsaid)
        sounds = self._sounding(serving, query, query.only)
        crossed = [i for i in judged.crossed if query.only is None or i in query.only]
        lacking = [i for i in dict.fromkeys([*hits, *sounds, *crossed]) if i not in there]
        near = self._similarities(serving, query, lacking)
        kept = [i for i, one in zip(lacking, near, strict=True) if np.isfinite(one)]  # the rest comes later
        return Candidates(
            [*found.ids, *kept],
            np.concatenate([found.near, near[np.isfinite(near)]]),
            np.concatenate([found.less, self._less(serving, kept)]),
            hits,
            sounds,
        )

    def _less(self, serving: Serving, ids: Sequence[str]) -> np.ndarray:
        """(C,) what the similarities of items are lessened by, of hubs."""
        if self._hubs is None:
            return np.zeros(len(ids), np.float32)
        return self._hubs.of_media(serving, version_file(self._ws, serving.aligner).rows_of(ids))

    def _sounding(self, serving: Serving, query: Query, wanted: Collection[str] | None) -> dict[str, float]:
        """The items in which something sounds like the query, with how much; none where all are asked."""
        if len(serving.index) <= self._depth(serving, query) or not serving.aligner.evidence_of_towers:
            return {}
        return self._sounds.like(self._ws, serving.aligner.towers.media.id, query.text, wanted)

    def _similarities(self, serving: Serving, query: Query, ids: Sequence[str]) -> np.ndarray:
        """(C,) float32 similarities of a query with items; -inf where the index does not hold one yet."""
        near = np.full(len(ids), -np.inf, np.float32)
        rows = version_file(self._ws, serving.aligner).rows_of(ids)
        there = (rows >= 0) & (rows < len(serving.index))
        near[there] = serving.index.matrix[rows[there]] @ self._query_vector(serving, query)
        return near

    def _depth(self, serving: Serving, query: Query) -> int:
        """How many of the nearest items are asked about; 0: the similarity's order stands."""
        return (serving.aligner.reranks or DECIDED) if self._by_words(query) else 0

    def _beside(self, serving: Serving) -> Callable[[np.ndarray], np.ndarray]:
        """The numbers of those that are not decided about, from their similarities."""
        return partial(beside, serving.aligner)

    @staticmethod
    def _by_words(query: Query) -> bool:
        """Whether a query is words alone."""
        return bool(query.text.strip()) and query.medium is None and not query.item

    def _candidates(self, serving: Serving, query: Query, wanted: int) -> Candidates:
        """The items nearest to a query in the shared space; of words those that are nearest without hubs."""
        vector = self._query_vector(serving, query)
        file = version_file(self._ws, serving.aligner)
        allowed = self._allowed(query, serving)
        without = self._by_words(query) and self._hubs is not None
        asked = max(wanted, REACH) if without else wanted + (query.item is not None)
        scores, rows = serving.index.search(vector[None], asked, allowed)
        near, less = scores[0], np.zeros(len(scores[0]), np.float32)
        if without and self._hubs is not None:
            less[:REACH] = self._hubs.of_media(serving, rows[0][:REACH])
        order = np.argsort(less - near, kind="stable")
        ids = file.keys_at(rows[0][order])
        kept = [at for at, item in zip(order.tolist(), ids, strict=True) if item != query.item][:wanted]
        return Candidates(file.keys_at(rows[0][kept]), near[kept], less[kept])

    def _decided_by(self, query: Query) -> str:
        """The words of a query whose evidence decides."""
        return clean_text(query.text)

    def _numbers(self, serving: Serving, query: Query, ids: Sequence[str], near: np.ndarray) -> np.ndarray:
        """(C,) the number that is shown with each of some items."""
        aligner = serving.aligner
        if not self._by_words(query):  # likes: their order is that of the similarity
            return near
        if aligner.evidence_dim:
            asked = [self._decided_by(query)] * len(ids)
            said = aligner.decided(self._evidence_of(aligner).of(ids, asked), near)
            return at_search_rate(said) if aligner.fuses else said
        if not knows_more(aligner.judge):
            return at_search_rate(aligner.calibration.probability(near))
        features = feature_file(self._ws, aligner.towers).get(list(ids))
        texts = self._words(aligner, query)
        moved = self._query_vector(serving, query) - aligner.project_text(texts)[0]
        vectors = aligner.project_media(features)
        odds = aligner.judge.log_odds(features, texts)[:, 0] + slope(aligner.judge) * (vectors @ moved)
        return of_search(odds + self._alike(aligner, query, features))

    def _alike(self, aligner: HeadAligner, query: Query, features: np.ndarray) -> np.ndarray:
        """(C,) log-odds of how answers look beside what was judged; 0 where a tower tells no more of them."""
        if not query.judged or features.shape[1] == aligner.dim:
            return np.zeros(len(features))
        file = feature_file(self._ws, aligner.towers)
        more = file.matrix()[:, aligner.dim :]
        rows = (file.rows_of(side) for side in (query.judged.ticked, query.judged.crossed))
        ticked, crossed = (more[side[side >= 0]] for side in rows)
        return alike(features[:, aligner.dim :], ticked, crossed, middle_of(more))

    def _evidence_of(self, aligner: HeadAligner) -> PairEvidence:
        with self._lock:
            if self._evidence is None or self._evidence[0] is not aligner:
                self._evidence = aligner, PairEvidence(self._ws, aligner)
            return self._evidence[1]

    def _places(
        self, serving: Serving, query: Query, answers: Sequence[Answer]
    ) -> dict[str, tuple[float, float]]:
        """Where in its sound or pictures an item answers, start and end in seconds, of those that do."""
        aligner = serving.aligner
        if not aligner.evidence_of_towers or not self._by_words(query):
            return {}
        text, evidence = self._decided_by(query), self._evidence_of(aligner)
        said = [a for a in answers if a.number >= PLACED]
        found = {a.id: aligner.place(evidence.medium(a.id), text) for a in said}
        return {item: place for item, place in found.items() if place is not None}

    def _query_vector(self, serving: Serving, query: Query) -> np.ndarray:
        """(D,) float32 what is looked for: words, a medium or both, and what people said of the answers."""
        if query.vector is not None:
            return np.asarray(query.vector)
        aligner = serving.aligner
        parts: list[np.ndarray] = []
        if query.text.strip():
            parts.append(aligner.project_text(self._words(aligner, query))[0])
        if query.medium is not None:
            parts.append(aligner.encode_media([query.medium])[0])
        if query.item:
            parts.append(self._keeper.version_vectors(aligner, [query.item])[0])
        if not parts:
            raise UserError("There is nothing to look for.", "Write some words or drop a file.")
        total = np.sum(parts, axis=0)
        return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), np.float32)

    @staticmethod
    def _words(aligner: HeadAligner, query: Query) -> np.ndarray:
        """(1, D) the vector of a query's words by the text tower, made once."""
        if query.words is not None:
            return np.asarray(query.words)
        return aligner.text_vectors([clean_text(query.text)])

    def _judged(self, serving: Serving, said: Feedback, vector: np.ndarray) -> np.ndarray:
        """(D,) a query's vector, moved by what people said of its answers; see `feedback.moved`."""
        if not said:
            return vector
        known = set(self._ws.items.of([*said.ticked, *said.crossed]))
        sides = [[i for i in side if i in known] for side in (said.ticked, said.crossed)]
        ticked, crossed = (
            self._keeper.version_vectors(serving.aligner, ids) if ids else vector[None][:0] for ids in sides
        )
        return moved(vector, ticked, crossed, middle_of(serving.index.matrix))

    def _feedback(self, query: Query) -> Feedback:
        """What people said of the answers to a query's words; nothing where that is what is sought."""
        asked = self._by_words(query) and query.given and query.feedback
        return feedback_on(self._ws, self._task, query.text) if asked else Feedback((), ())

    def _allowed(self, query: Query, serving: Serving) -> np.ndarray | None:
        shown = self._shown.rows(serving)
        if query.only is None:
            return shown
        mask = np.zeros(len(serving.index), dtype=bool)
        rows = version_file(self._ws, serving.aligner).rows_of(sorted(query.only))
        mask[rows[(rows >= 0) & (rows < len(mask))]] = True
        return mask if shown is None else mask & shown

    def _results(
        self, serving: Serving, answers: Sequence[Answer], query: Query, worded: Collection[str] = ()
    ) -> Results:
        found = self._ws.items.of([a.id for a in answers])
        items = {key: item for key, item in found.items() if item.listed and not item.hidden}  # by now
        pairs = self._ws.pairs.of_items(self._task, list(items))
        answers = [a for a in answers if a.id in items]
        places = self._places(serving, query, answers)
        asked = text_key(query.text) if query.text.strip() else ""
        results = []
        for answer in answers:
            start, end = places.get(answer.id, (None, None))
            text, said = shown_with(pairs[answer.id], asked)
            results.append(
                Result(
                    item=answer.id,
                    name=items[answer.id].name,
                    text=text,
                    score=min(1.0, max(-1.0, answer.near)),  # ticks move it
                    probability=answer.number,
                    verdict=said.verdict if said else None,
                    start=start,
                    end=end,
                    label=said.label if said else None,
                    found_by="words" if answer.id in worded else "",
                )
            )
        return self._ended(serving, query, results)

    def _ended(self, serving: Serving, query: Query, results: Sequence[Result]) -> Results:
        """The results up to where matches end; likes have no probability that says where those end."""
        stale = self._keeper.status.stale_share
        if self._by_likeness(query):
            likes = tuple(replace(r, probability=None) for r in results)
            return Results(serving.version, likes, stale, not results)
        doubt = self._doubt(serving.aligner, query)
        if doubt:
            results = [r if r.found_by else replace(r, probability=None, doubt=True) for r in results]
        elif not serving.aligner.measured:  # their order means something, and no number says more
            results = [r if r.found_by else replace(r, probability=None) for r in results]
        none = self._none_fits(serving, results)
        kept = tuple(results) if query.everything else cut(results, none)
        said = query.judged or Feedback((), ())
        return Results(
            serving.version, kept, stale, none, note=doubt, ticked=len(said.ticked), crossed=len(said.crossed)
        )

    def _doubt(self, aligner: HeadAligner, query: Query) -> str:
        """Why nothing can be told of a query's words; empty: it can."""
        return doubt_of(aligner, query.text) if self._by_words(query) else ""

    def _none_fits(self, serving: Serving, results: Sequence[Result]) -> bool:
        """Whether no result is good enough."""
        return all(r.fit == "none" for r in results)

    @staticmethod
    def _by_likeness(query: Query) -> bool:
        """Whether what is sought is of the kind that is given: media by a medium, texts by words."""
        words, medium = bool(query.text.strip()), query.medium is not None or bool(query.item)
        return medium if query.target == "media" else words

    def _search_texts(self, serving: Serving, query: Query, k: int) -> Results:
        known: dict[str, PairView] = {}  # by the key that equal texts share
        for pair in self._ws.pairs.browse(self._task, shown=True):
            if pair.is_own and not pair.is_word:
                known.setdefault(text_key(pair.final_text), pair)
        pairs = list(known.values())
        texts = [pair.final_text for pair in pairs]
        near = self._text_similarities(serving, query, texts) if texts else np.empty(0, np.float32)
        less = np.zeros(len(texts), np.float32)
        if self._hubs is not None and not query.text.strip():
            first = np.argsort(-near, kind="stable")[:REACH]
            less[:] = FAR
            less[first] = self._hubs.of_texts(serving, texts, first)
        found = Candidates([str(i) for i in range(len(texts))], near, less)
        asked = self._texts_asked(serving, query)

        def decide(rows: np.ndarray) -> np.ndarray:
            return self._text_numbers(serving, query, [texts[i] for i in rows], (near - less)[rows])

        answers = ordered(found, asked or len(texts), decide, self._beside(serving))
        page = answers[query.offset : query.offset + k]
        told = [(pairs[int(a.id)], texts[int(a.id)], a) for a in page]
        own = self._ws.pairs.of_items(self._task, [query.item])[query.item] if query.item else []
        results = of_texts(told, own)
        return self._ended(serving, query, results)

    def _texts_asked(self, serving: Serving, query: Query) -> int:
        """How many of the nearest texts are asked about; 0: the similarity's order stands."""
        return 0 if query.text.strip() else serving.aligner.reranks_texts or DECIDED

    def _text_similarities(self, serving: Serving, query: Query, texts: Sequence[str]) -> np.ndarray:
        """(T,) similarities of a query with texts."""
        base = text_vectors(self._ws, serving.aligner.towers, texts)
        return serving.aligner.project_text(base) @ self._query_vector(serving, query)

    def _text_numbers(
        self, serving: Serving, query: Query, texts: Sequence[str], near: np.ndarray
    ) -> np.ndarray:
        """(T,) the number that is shown with each of some texts."""
        aligner = serving.aligner
        if query.text.strip():
            return near
        if aligner.evidence_dim:
            if query.item:
                known = self._evidence_of(aligner).of([query.item] * len(texts), texts)
            else:
                known = aligner.evidence(query.medium, texts)
            said = aligner.decided(known, near)
            return at_search_rate(said) if aligner.fuses else said
        if not knows_more(aligner.judge):
            return at_search_rate(aligner.calibration.probability(near))
        if query.item:
            features = feature_file(self._ws, aligner.towers).get([query.item])
        else:
            features = aligner.media_features([query.medium])
        return of_search(aligner.judge.log_odds(features, text_vectors(self._ws, aligner.towers, texts))[0])
