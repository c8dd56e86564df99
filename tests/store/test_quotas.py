"""How much somebody may bring to look at, and who gives way where it is too much."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from assets.sounds import wav_bytes
from mmdemo.asker import Asker, asking
from mmdemo.bounds import MOST_FILES
from mmdemo.errors import BusyError, UserError
from mmdemo.settings import load_settings
from mmdemo.store.media_store import MediaStore
from mmdemo.store.tables import Item, Scratch
from mmdemo.store.workspace import Workspace
from tests.conftest import png
from tests.media.test_video import write_video
from tests.store.test_scratch import HERE, ONE, brought, sees


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    return Workspace(load_settings({}, workspace=tmp_path / "s", samples=False, visitor_mb=1, visitors_mb=2))


def noise(seed: int, kb: int) -> bytes:
    """A recording of so many kilobytes."""
    rng = np.random.default_rng(seed)
    return wav_bytes(rng.uniform(-0.5, 0.5, kb * 500).astype(np.float32))


def test_a_visitor_has_a_quota_and_the_oldest_go_first(small: Workspace) -> None:
    items = [brought(small, noise(i, 300), ONE, f"{i}.wav", "audio") for i in range(5)]
    assert [sees(small, item, ONE) for item in items] == [False, False, True, True, True]
    assert not small.media_path(items[0]).exists()
    with pytest.raises(UserError, match="over a viewer's limit of 1 MB"):
        brought(small, noise(9, 1200), ONE, "large.wav", "audio")
    assert all(sees(small, item, ONE) for item in items[2:])
    brought(small, noise(10, 1200), HERE, "large.wav", "audio")  # whoever works here has none
    small.close()


def made_of(ws: Workspace, item: Item, kb: int) -> Path:
    """A copy of so many kilobytes that was made of a file."""
    copy = ws.made.path("sounds", item.id, ".ogg")
    ws.made.write(copy, item.id, bytes(kb * 1000), "a copy")
    return copy


def test_what_was_made_of_a_file_counts_with_it_when_another_comes(small: Workspace) -> None:
    first = brought(small, noise(0, 300), ONE, "first.wav", "audio")
    copy = made_of(small, first, 600)
    second = brought(small, noise(1, 300), ONE, "second.wav", "audio")
    assert not sees(small, first, ONE) and not copy.exists()
    third = brought(small, noise(2, 300), ONE, "third.wav", "audio")
    assert sees(small, second, ONE) and sees(small, third, ONE)
    small.close()


def test_what_was_made_since_lets_the_oldest_go_but_none_of_which_more_is_made_and_not_the_newest(
    small: Workspace,
) -> None:
    first, second = (brought(small, noise(i, 300), ONE, f"{i}.wav", "audio") for i in range(2))
    made_of(small, second, 1200)
    assert small.scratch.sweep(lambda item: item == first.id) == []
    assert small.scratch.sweep() == [first.id]
    assert small.scratch.sweep() == [] and sees(small, second, ONE)
    small.close()


def test_what_was_made_counts_for_all_visitors_too_and_is_known_after_a_start(small: Workspace) -> None:
    items = [
        brought(small, noise(i, 300), Asker("viewer", session=f"s{i}"), "a.wav", "audio") for i in range(3)
    ]
    copies = [made_of(small, item, 500) for item in items]
    gone = small.scratch.sweep()
    assert len(gone) == 1 and [path.exists() for path in copies].count(True) == 2
    small.close()
    again = Workspace(small.settings)
    left = next(item for item in items if item.id not in gone)
    made_of(again, left, 900)
    assert len(again.scratch.sweep()) == 1
    again.close()


def test_a_waveform_a_thumbnail_and_a_frame_count(ws: Workspace, tmp_path: Path) -> None:
    sound = brought(ws, noise(0, 100), ONE, "a.wav", "audio")
    with asking(ONE):
        film = write_video(tmp_path / "film.mp4", [0, 40])
        video = ws.add_media("video", film, film.name, source="upload", listed=False)
    ws.thumbnail(sound, 320)  # which makes the waveform
    ws.video_frame(video, 0.5, 320)
    ws.scratch.sweep()
    for item, count in ((sound, 2), (video, 1)):
        made = [path.stat().st_size for path in ws.made.of([item.id])]
        known = ws.items.get(item.id)
        assert len(made) == count and known is not None and known.made_bytes == sum(made)


def test_all_visitors_together_have_one_too(small: Workspace) -> None:
    for i in range(2):
        brought(small, noise(i, 900), Asker("viewer", session=f"s{i}"), "a.wav", "audio")
    newest = Asker("viewer", session="s7")
    assert sees(small, brought(small, noise(7, 900), newest, "a.wav", "audio"), newest)
    with small.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Scratch)) == 2
    small.close()


def test_a_few_sessions_do_not_keep_other_visitors_out_and_whoever_has_most_gives_way(
    small: Workspace,
) -> None:
    """However often they look at what they have."""
    greedy = [Asker("viewer", session=f"g{i}") for i in range(3)]
    held = [brought(small, noise(i, 600), who, "a.wav", "audio") for i, who in enumerate(greedy)]
    modest = brought(small, noise(8, 100), ONE, "m.wav", "audio")
    assert all(sees(small, item, who) for item, who in zip(held, greedy, strict=True))
    other = Asker("viewer", session="other")
    late = brought(small, noise(9, 500), other, "late.wav", "audio")
    assert sees(small, late, other) and sees(small, modest, ONE)
    assert sum(sees(small, item, who) for item, who in zip(held, greedy, strict=True)) == 2
    small.close()


def test_many_sessions_of_one_network_push_out_nothing_of_another(small: Workspace) -> None:
    other = Asker("viewer", session="other", address="203.0.113.1")
    theirs = [brought(small, noise(i, 400), other, f"{i}.wav", "audio") for i in range(2)]
    for i in range(2, 12):
        asker = Asker("viewer", session=f"s{i}", address="198.51.100.7")
        last = brought(small, noise(i, 200), asker, f"{i}.wav", "audio")
    assert all(sees(small, item, other) for item in theirs) and sees(small, last, asker)
    small.close()


def test_whose_own_oldest_file_goes_takes_no_more_than_all_may_bring(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST_FILES, "viewer", 1)
    for i in range(2):
        brought(small, noise(i, 900), Asker("viewer", session=f"s{i}"), "a.wav", "audio")
    tiny = brought(small, noise(3, 10), ONE, "tiny.wav", "audio")
    brought(small, noise(4, 900), ONE, "a.wav", "audio")
    assert not sees(small, tiny, ONE) and not small.media_path(tiny).is_file()
    small.close()


def test_what_others_look_at_takes_no_room_from_visitors(small: Workspace) -> None:
    for i, who in enumerate((HERE, Asker("annotator", session="a"), Asker("trainer", session="t"))):
        brought(small, noise(i, 900), who, "a.wav", "audio")
    item = brought(small, noise(4, 900), ONE, "b.wav", "audio")
    assert sees(small, item, ONE)
    small.close()


def test_everybody_but_the_owner_has_a_quota_of_their_own(tmp_path: Path) -> None:
    """What is over it takes the place of their own oldest file, and of nobody else's."""
    settings = load_settings({}, workspace=tmp_path / "q", samples=False, annotator_mb=1, trainer_mb=2)
    ws = Workspace(settings)
    anna, berta = (Asker("annotator", session=name) for name in ("anna", "berta"))
    trainer, owner = Asker("trainer", session="t"), Asker("owner", session="o")
    theirs = brought(ws, noise(1, 900), berta, "b.wav", "audio")
    items = [brought(ws, noise(seed, 600), anna, "a.wav", "audio") for seed in (2, 3)]
    assert [sees(ws, item, anna) for item in items] == [False, True] and sees(ws, theirs, berta)
    with pytest.raises(UserError, match="over an annotator's limit of 1 MB"):
        brought(ws, noise(4, 1200), anna, "large.wav", "audio")
    brought(ws, noise(5, 1200), trainer, "large.wav", "audio")
    with pytest.raises(UserError, match="over a trainer's limit of 2 MB"):
        brought(ws, noise(6, 2200), trainer, "large.wav", "audio")
    brought(ws, noise(6, 2200), owner, "large.wav", "audio")
    for number in range(3):  # all annotators together have five times what one has
        brought(ws, noise(10 + number, 900), Asker("annotator", session=f"s{number}"), "a.wav", "audio")
    with pytest.raises(BusyError, match="The space for annotators' files is used up"):
        brought(ws, noise(20, 900), Asker("annotator", session="s9"), "a.wav", "audio")
    brought(ws, noise(21, 900), ONE, "v.wav", "audio")  # which takes nothing of visitors
    ws.close()


def test_of_visitors_who_come_at_once_no_more_is_kept_than_there_is_room_for(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, add, together = threading.local(), MediaStore.add, threading.Barrier(3)

    def add_together(*given: Any) -> None:
        if not hasattr(here, "came"):
            here.came = together.wait(30)
        add(*given)

    monkeypatch.setattr(MediaStore, "add", add_together)

    def bring(seed: int) -> Item:
        return brought(small, noise(seed, 900), Asker("viewer", session=f"s{seed}"), "a.wav", "audio")

    with ThreadPoolExecutor(3) as pool:
        items = list(pool.map(bring, range(3)))
    assert sum(small.media_path(item).is_file() for item in items) == 2
    assert len([f for f in (small.folder / "scratch").rglob("*") if f.is_file()]) == 2
    small.close()


def test_requests_without_a_session_share_the_quota_of_their_network(small: Workspace) -> None:
    def nobody(session: str, network: str) -> Asker:
        return Asker("viewer", session=session, network=network)

    askers = [nobody(f"new {i}", "192.0.2.1") for i in range(5)]
    items = [brought(small, noise(i, 300), who, f"{i}.wav", "audio") for i, who in enumerate(askers)]
    there = [sees(small, item, who) for item, who in zip(items, askers, strict=True)]
    assert there == [False, False, True, True, True]
    brought(small, noise(9, 900), nobody("new", "192.0.2.2"), "9.wav", "audio")
    assert sees(small, items[2], askers[2])
    small.close()


def test_no_address_of_a_network_is_in_the_database(ws: Workspace) -> None:
    brought(ws, png(), Asker("viewer", session="new", network="192.0.2.1"))
    with ws.database.read() as session:
        (quota,) = session.scalars(select(Scratch.quota))
    assert len(quota) == 64 and quota != hashlib.sha256(b"192.0.2.1").hexdigest()


def test_a_visitor_has_so_many_files(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FILES["viewer"] == 100
    monkeypatch.setitem(MOST_FILES, "viewer", 3)
    items = [brought(ws, png((i, 0, 0)), ONE) for i in range(5)]
    assert [sees(ws, item, ONE) for item in items] == [False, False, True, True, True]
