"""Numbers of what is heard: how sure a word is, and how much of a query a sentence holds."""

from __future__ import annotations

from mmdemo.service.sources.table import SOURCES, Asked, Told
from mmdemo.service.speech import SAID, SPEECH
from mmdemo.service.video import HEARD_SHARE
from mmdemo.store.cards import read_card


def _word(asked: Asked) -> Told:
    facts = [("recogniser", asked.version)]
    rates = read_card(asked.ws.version_folder(asked.version)).get("transcripts") if asked.version else None
    if rates:
        wrong = f"{rates['WER']['after']:.1f} of 100 words are wrong"
        facts.append(("measured on", f"{rates['recordings']} held-out recordings: {wrong}"))
    return Told(
        "How sure is this word?",
        "How likely the recogniser itself holds the word, given the sound. It is the network's own number, "
        "not calibrated: how often such words are right was not measured.",
        tuple(facts),
    )


def _asked_word(asked: Asked) -> Told:
    told = _word(asked)
    return Told(
        "Was this word said?",
        "How likely the recogniser itself holds the word, given the sound and the words before it, which are "
        f"yours. Below {100 * SAID:.0f} % a word counts as not heard. It is the network's own number, not "
        "calibrated.",
        told.facts,
    )


def _heard(asked: Asked) -> Told:
    return Told(
        "Words that are said",
        "The share of the query's words that are said in this sentence of the transcript, small words left "
        f"out. It is counted, and no probability: sentences with {100 * HEARD_SHARE:.0f} % or more count.",
        (("transcript by", asked.ws.versions.active(SPEECH)),),
    )


SOURCES.add("word", _word)
SOURCES.add("given-word", _asked_word)
SOURCES.add("heard", _heard)
