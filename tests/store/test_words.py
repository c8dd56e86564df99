"""What is written of items is found by its words, as soon as it is on disk."""

from __future__ import annotations

import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.store.labels import NewLabel
from mmdemo.store.words import HEARD, WRITTEN, content_words, held_share, stems
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def add(ws: Workspace, red: int, text: str) -> tuple[str, int]:
    item = ws.add_media("image", png((red, 0, 0)), f"{red}.png", source="test")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, text, source="test")
    return item.id, pair.id


def found(ws: Workspace, query: str) -> list[str]:
    return [hit.item for hit in ws.words.find(query, "image", 10)]


def test_a_text_is_found_by_its_words_whatever_their_form_and_the_small_ones_do_not_count(
    ws: Workspace,
) -> None:
    moon, _ = add(ws, 1, "The moon")
    apples, _ = add(ws, 2, "Three red apples in the basket")
    assert found(ws, "the moon") == [moon]
    assert found(ws, "an APPLE") == [apples]
    assert found(ws, "a red moon")[0] in {moon, apples} and len(found(ws, "a red moon")) == 2
    assert found(ws, "musical instrument") == [] and found(ws, "?!") == []


def test_more_of_the_words_and_rarer_ones_come_first(ws: Workspace) -> None:
    for i in range(5):
        add(ws, 10 + i, f"A red thing number {i}")
    both, _ = add(ws, 3, "A red hat")
    assert found(ws, "red hat")[0] == both


@pytest.mark.parametrize("query", ["AND", 'a "quote', "moon* OR", "NEAR(", "o'clock & | !", "-- ;"])
def test_what_means_something_to_the_database_is_only_words(ws: Workspace, query: str) -> None:
    add(ws, 1, "The moon")
    assert isinstance(found(ws, query), list)


def test_a_corrected_text_and_a_transcript_are_found_and_a_new_one_takes_the_old_ones_place(
    ws: Workspace,
) -> None:
    item, pair = add(ws, 1, "A thing")
    ws.labels.add(pair, NewLabel("match", text="A lighthouse"))
    assert found(ws, "lighthouse") == [item]
    ws.words.put(item, HEARD, "whisper", "seven in the morning")
    assert found(ws, "morning") == [item]
    ws.words.put(item, HEARD, "whisper", "eight in the evening")
    assert found(ws, "morning") == [] and found(ws, "evening") == [item]
    ws.transcripts.put(item, "base", "en", [{"text": "It is raining"}, {"text": "again"}], 1.0, True)
    assert found(ws, "rain again")[0] == item
    assert ws.words.known(HEARD, "whisper") == {item: "eight in the evening"}


def test_what_was_not_saved_is_not_found(ws: Workspace) -> None:
    item, _ = add(ws, 1, "A thing")
    with pytest.raises(RuntimeError), ws.database.write() as session:
        ws.pairs.add(session, TASK, item, "A volcano", source="test")
        raise RuntimeError
    assert found(ws, "volcano") == []


def test_only_the_collection_is_searched(ws: Workspace) -> None:
    item = ws.add_media("image", png((9, 9, 9)), "own.png", source="upload", listed=False)
    ws.words.put(item.id, HEARD, "x", "secret words")
    assert found(ws, "secret") == []


def test_the_words_that_carry_meaning_are_what_is_held() -> None:
    assert content_words("The moon and the STARS, the moon") == ["moon", "stars"]
    assert content_words("the of") == ["the", "of"]
    assert held_share(stems("red apples"), "An apple") == 0.5
    assert held_share(stems("berries"), "A red berry") == 1.0
    assert held_share(stems("glass"), "A glass") == 1.0 and held_share(stems("!"), "x") == 0.0
    assert stems("The churches, a glass, the cats") == {"church", "glass", "cat"}


def test_texts_of_other_collections_and_kinds_do_not_crowd_out_the_ones_asked_for(ws: Workspace) -> None:
    for i in range(12):
        add(ws, 20 + i, "moon")
    kept, _ = add(ws, 1, "A picture of the old moon above a wide and quiet sea")
    ws.words.put(kept, WRITTEN, "reader", "the moon hotel, open all through the night and on Sundays too")
    other = ws.add_media("image", png((9, 9, 9)), "own.png", source="upload", listed=False)
    ws.words.put(other.id, HEARD, "x", "moon")
    recording = ws.add_media("audio", wav_bytes(np.zeros(1600, np.float32)), "a.wav", source="test")
    ws.words.put(recording.id, HEARD, "x", "far below the quiet waters shone the reflection of a moon")
    assert [hit.item for hit in ws.words.find("moon", "audio", 1)] == [recording.id]
    assert [(hit.item, hit.kind) for hit in ws.words.find("moon", "image", 1, {WRITTEN})] == [(kept, WRITTEN)]
