"""What every modality must do, those of other packages too, and what may not be added to the table."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdemo.errors import MediaError, RegistryError, UserError
from mmdemo.modality import (
    CAPTIONING,
    MODALITIES,
    TASKS,
    Modality,
    base_model,
    is_medium,
    modality_of,
    task_of_file,
)
from mmdemo.retrieval.embed import load_medium
from mmdemo.service.app import App
from mmdemo.service.operations.page import modalities
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS, AUTO, Settings
from tests.conftest import drawing, png
from tests.films import write_film
from tests.series_data import write_series

PlugIn = Callable[[str, str], Path]
SHIPPED = ("image", "audio", "video")
EVERY = (*SHIPPED, "series")
TABLES = {"image": ASSETS, "audio": ASSETS / "speech"}  # of the samples that ship
SIDES = {"train": {"train"}, "held-out": {"held-out", "validation"}}
SOME = {"image": (8, 5), "audio": (3, 2)}  # files of the train and of the held-out side


def collection(name: str, folder: Path) -> list[tuple[Path, str]]:
    """A few labelled files of a modality with a manifest beside them."""
    if name == "series":
        return write_series(folder, each=3, verdict="match")
    folder.mkdir()
    chosen = films(folder) if name == "video" else samples(name, folder)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(["file_name", "text", "start", "end", "split", "verdict"])
        for r in chosen:
            out.writerow([r["file_name"], r["text"], r.get("start"), r.get("end"), r["split"], "match"])
    return [(folder / r["file_name"], r["text"]) for r in chosen]


def films(folder: Path) -> list[dict[str, str]]:
    """Three videos of three drawings each, a row for every drawing; the last video is held out."""
    names, rows = sorted(path.stem for path in drawing("x").parent.glob("*.jpg"))[:9], []
    for i, split in enumerate(("train", "train", "held-out")):
        shown = names[3 * i : 3 * i + 3]
        file = write_film(folder / f"{i}.mp4", shown).name
        for at, text in enumerate(shown):
            row = {"file_name": file, "text": text.replace("_", " "), "start": str(at), "end": str(at + 1)}
            rows.append(row | {"split": split})
    return rows


def samples(name: str, folder: Path) -> list[dict[str, str]]:
    """The first rows of the samples on each side, whose files are copied."""
    with (TABLES[name] / "samples.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    files = {
        side: list(dict.fromkeys(r["file_name"] for r in rows if r["split"] in splits))
        for side, splits in SIDES.items()
    }
    train, held_out = (files[side][:count] for side, count in zip(SIDES, SOME[name], strict=True))
    chosen = [r for r in rows if r["file_name"] in {*train, *held_out}]
    for row in chosen:
        shutil.copyfile(TABLES[name] / row["file_name"], folder / Path(row["file_name"]).name)
    return [row | {"file_name": Path(row["file_name"]).name} for row in chosen]


@pytest.fixture(params=EVERY)
def modality(
    request: pytest.FixtureRequest, plug_in: PlugIn, series_text: Path, monkeypatch: pytest.MonkeyPatch
) -> Modality:
    """Each modality in turn; that of examples/series_text from where pip installed it."""
    if request.param not in SHIPPED:
        monkeypatch.syspath_prepend(str(series_text))
        plug_in("brings_series", "from series_text import register\n")
    return MODALITIES.get(request.param)


def test_each_that_ships_is_specified_here_and_told_of_in_the_readme() -> None:
    assert tuple(MODALITIES) == SHIPPED
    readme = (ASSETS.parent / "README.md").read_text(encoding="utf-8")
    assert all(m.task in readme for m in MODALITIES.values())


def test_its_files_are_described_or_refused_and_drawn(
    modality: Modality, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app = make_app("one", samples=False)
    path, _ = collection(modality.name, tmp_path / "files")[0]
    facts = modality.describe(path, app.settings)
    assert modality.describe(path.read_bytes(), app.settings) == facts
    assert facts.suffix.startswith(".") and len(facts.suffix) <= 16
    for wrong in (b"", b"\x00 nothing of the kind", tmp_path / "not-there"):
        with pytest.raises((MediaError, FileNotFoundError)) as refused:
            modality.describe(wrong, app.settings)
        assert str(refused.value)
    item = app.ws.add_media(modality.name, path, path.name, source="test")
    assert (item.modality, app.media.task_of(item)) == (modality.name, modality.task)
    with Image.open(app.ws.thumbnail(item, 320)) as drawn:
        assert drawn.format == "WEBP" and 0 < max(drawn.size) <= 320


def test_its_tab_begins_with_some_of_its_items_and_opens_none_that_is_of_another_modality(
    modality: Modality, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app, task = make_app("begins", samples=False), modality.task
    app.models.aligner(task)
    app.context.keeper_of(task)  # so nothing loads behind the page when the test is over
    collection(modality.name, tmp_path / "files")
    ask(app, "import", path=str(tmp_path / "files"), task=task)
    picture = app.media.keep(drawing("tiger"))
    begun = ask(app, "samples", task=task)
    listed = {item.id: item for item in app.ws.items.listed(modality.name)}
    assert {row["item"] for row in begun["samples"]} <= set(listed) and begun["samples"]
    assert begun["versions"] and len(begun["sources"]) == 1
    for row in begun["samples"]:
        told = ask(app, "medium", item=row["item"], task=task)
        item = listed[row["item"]]
        assert (told["name"], told["duration"], told["width"]) == (item.name, item.duration_s, item.width)
        assert told == ask(app, "medium", item=row["item"]) and set(told["texts"]) <= set(row["texts"])
    if modality.name != "image":
        with pytest.raises(MediaError, match=f"tiger.jpg is no {modality.noun}. Choose {modality.one}."):
            ask(app, "medium", item=picture.id, task=task)


def test_its_tower_makes_finite_vectors_and_each_text_has_a_probability_where_one_was_measured(
    modality: Modality, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app = make_app("two", samples=False)
    path, text = collection(modality.name, tmp_path / "files")[0]
    aligner = app.models.aligner(modality.task)
    tower = aligner.towers.media
    assert tower.modality == modality.name
    item = app.ws.add_media(modality.name, path, path.name, source="test")
    kept = load_medium(app.ws, tower, item)
    features = tower.encode([kept, modality.decode(tower, path, app.settings)])
    assert features.shape == (2, tower.feature_dim) and np.isfinite(features).all()
    assert np.allclose(features[0], features[1], atol=2e-2)  # what is kept is kept in 16 bits
    assert np.linalg.norm(aligner.encode_media([kept]), axis=1) == pytest.approx(1.0, abs=1e-3)
    answer = ask(app, "align", item=item.id, texts=[text, "an eggplant"], task=modality.task)
    assert [s["text"] for s in answer["scores"]] == [text, "an eggplant"]
    assert all(0 <= s["probability"] <= 1 and s["measured"] == aligner.measured for s in answer["scores"])


def test_what_its_tower_makes_that_is_no_number_is_told_with_the_file_and_never_measured(
    modality: Modality,
    tmp_path: Path,
    make_app: Callable[..., App],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, task = make_app("broken", samples=False), modality.task
    collection(modality.name, tmp_path / "files")
    ask(app, "import", path=str(tmp_path / "files"), task=task)
    item = app.ws.items.listed(modality.name)[0]
    aligner = app.models.aligner(task)
    tower = getattr(aligner.towers.media, "frames", aligner.towers.media)
    with monkeypatch.context() as broken:
        broken.setattr(tower, "encode", lambda media: np.full((len(media), tower.feature_dim), np.nan))
        assert len(app.context.keeper_of(task).update().index) == 0
        assert f"{item.name}" in caplog.text and "no number" in caplog.text.replace(
            "not a number", "no number"
        )
        with pytest.raises(UserError, match=r"not a number|no numbers"):
            ask(app, "align", item=item.id, texts=["a word"], task=task)
        names = "|".join(i.name for i in app.ws.items.listed(modality.name))
        with pytest.raises(UserError, match=f"({names}) cannot be learned from: .*(not a number|no numbers)"):
            ask(app, "train", task=task, method="head", epochs=2)
    text = aligner.towers.text
    with monkeypatch.context() as broken:
        broken.setattr(text, "encode", lambda texts: np.full((len(texts), text.dim), np.inf, np.float32))
        # A recording's own vector is that of a text, its transcript.
        with pytest.raises(UserError, match=r"of (“an odd word”|this recording) is infinite"):
            ask(app, "align", item=item.id, texts=["an odd word"], task=task)
        with pytest.raises(UserError, match="of “an odd word” is infinite"):
            ask(app, "search", query="an odd word", task=task)


@pytest.mark.slow
def test_its_items_are_imported_searched_labelled_and_learned_from(
    modality: Modality, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    app, task = make_app("three", samples=False), modality.task
    rows = collection(modality.name, tmp_path / "files")
    files = len({path.read_bytes() for path, _ in rows})
    done = ask(app, "import", path=str(tmp_path / "files"), task=task)
    assert (done["items"], done["labels"], done["skipped"]) == (files, len(rows), [])
    app.context.keeper_of(task).update()
    found = ask(app, "search", query=rows[0][1], task=task, k=3, everything=True)["results"]
    assert len(found) == min(3, files) and found[0]["probability"] >= found[-1]["probability"]
    own = app.ws.items.listed(modality.name)[0].id
    near = ask(app, "search", query="", item=own, task=task, k=files)["results"]
    assert len(near) == files - 1 and own not in {r["item"] for r in near}
    receipt = ask(app, "label_result", item=own, text="something else", verdict="mismatch", origin="search")
    assert ask(app, "undo", label=receipt["label"])["pair"] == receipt["pair"]
    while (pair := ask(app, "next_pair", task=task))["pair"] is not None:
        assert pair["task"] == task
        ask(app, "label", pair=pair["pair"], verdict="unsure")
    trained = ask(app, "train", task=task, method="head", epochs=2)
    assert trained["status"] == "done" and trained["before"]["pairs"] > 0
    ask(app, "activate", version=trained["model"])
    assert ask(app, "evaluate", task=task)["model"] == trained["model"]
    captions = ask(app, "caption", item=own)["captions"]
    assert captions and all(c["text"] and 0 <= c["score"] <= 1 for c in captions)
    exported = ask(app, "export", task=task, out=str(tmp_path / "out"))
    again = ask(make_app("four", samples=False), "import", path=str(tmp_path / "out"), task=task)
    assert again["items"] == files and again["labels"] == exported["labels"]


def test_the_page_is_told_of_a_modality_that_a_package_brings_and_opens_it_in_a_tab_like_the_others(
    plug_in: PlugIn, series_text: Path, monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., App]
) -> None:
    monkeypatch.syspath_prepend(str(series_text))
    plug_in("brings_series", "from series_text import register\n")
    from mmdemo.ui.tabs.table import tabs

    row = modalities()[-1]
    assert (row["task"], row["tab"], row["player"]) == ("series-text", "series-text", "")
    assert [tab.title for tab in tabs().values()][:5] == ["Image", "Speech", "Video", "Series", "Label"]
    app = make_app("told", samples=False)
    assert ask(app, "samples", task="series-text")["samples"] == []


def test_a_workspace_still_opens_when_the_package_is_gone(
    plug_in: PlugIn,
    series_text: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    make_app: Callable[..., App],
) -> None:
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(series_text))
        plug_in("brings_series", "from series_text import register\n")
        app = make_app("gone", samples=False)
        path, _ = write_series(tmp_path / "files", each=1)[0]
        item = app.ws.add_media("series", path, path.name, source="test")
        app.close()
    MODALITIES.remove("series")
    app = make_app("gone", samples=False)
    with pytest.raises(UserError, match=r"There is no modality 'series'. Use one of: image, audio, video."):
        ask(app, "caption", item=item.id)


# The table


def test_unknown_names_list_those_there_are() -> None:
    with pytest.raises(UserError, match=r"There is no modality 'smell'. Use one of: image, audio, video"):
        MODALITIES.get("smell")
    with pytest.raises(
        UserError, match=r"There is no task 'smell-text'. Use one of: image-text, speech-text"
    ):
        modality_of("smell-text")
    assert dict(TASKS) == {"image-text": "image", "speech-text": "audio", "video-text": "video"}
    assert "smell-text" not in TASKS and CAPTIONING not in TASKS


@pytest.mark.parametrize("name", ["", "Series", "a name", "much-too-long-a-name", "1d", "../x"])
def test_a_name_that_cannot_be_stored_or_stand_in_an_address_is_refused(name: str) -> None:
    for field in ("name", "task"):
        with pytest.raises(RegistryError, match=r"cannot be kept. Use at most 16 small letters"):
            replace(MODALITIES.get("image"), **{field: name})


def test_a_suffix_of_tables_is_refused_as_imports_could_not_tell_them_from_manifests() -> None:
    with pytest.raises(RegistryError, match=r"takes .csv, .*Use a suffix of two parts, such as .image.csv"):
        replace(MODALITIES.get("image"), suffixes=frozenset([".csv", ".jpg"]))


ADDS = """
from dataclasses import replace
from mmdemo.modality import MODALITIES, Modality
from mmdemo.modalities import image
def register():
    MODALITIES.add({name!r}, replace(MODALITIES.get("image"), name={name!r}, task={task!r}, tab=""))
"""


@pytest.mark.parametrize(
    ("name", "task", "sentence"),
    [
        ("video", "smell-text", "There is a modality named 'video' already. Choose another name than: image"),
        ("smell", "video-text", "There is a task named 'video-text' already. Choose another name than: capt"),
        ("smell", "captioning", "There is a task named 'captioning' already."),
    ],
)
def test_a_doubled_name_or_task_is_refused_with_the_list_and_leaves_the_table_as_it_was(
    name: str,
    task: str,
    sentence: str,
    plug_in: PlugIn,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(AssertionError):  # the fixture sees that it is not loaded
        plug_in(f"doubling_{name}_{task[:5]}", ADDS.format(name=name, task=task))
    assert sentence in caplog.text
    assert tuple(MODALITIES) == SHIPPED and MODALITIES.get("video").task == "video-text"


def test_a_modality_of_a_package_has_its_model_its_task_and_a_place_in_every_switch(plug_in: PlugIn) -> None:
    plug_in("smelling", ADDS.format(name="smell", task="smell-text"))
    assert TASKS["smell-text"] == "smell" and modality_of("smell-text").noun == "picture"
    assert [row["task"] for row in modalities()] == [*(MODALITIES.get(n).task for n in SHIPPED), "smell-text"]


def test_a_file_is_known_by_its_name_and_by_its_content_where_that_says_too_little(
    settings: Settings, tmp_path: Path
) -> None:
    sound = ASSETS / "speech" / "samples"
    for name, source, task in (
        ("moving.gif", png(), "image-text"),  # a name that videos have too
        ("film.mp4", next((ASSETS / "video").glob("*.mp4")).read_bytes(), "video-text"),
        ("only-sound.mp4", next(sound.glob("*.ogg")).read_bytes(), "speech-text"),
        ("no-suffix", next(sound.glob("*.ogg")).read_bytes(), "speech-text"),
        ("photo", png(), "image-text"),
        ("damaged.jpg", b"nothing", "image-text"),
        ("damaged.wav", b"nothing", "speech-text"),
        ("nothing", b"nothing", "image-text"),
    ):
        (tmp_path / name).write_bytes(source)
        assert task_of_file(tmp_path / name, settings) == task, name


def test_what_counts_as_a_medium_in_a_folder_is_what_some_modality_calls_so(plug_in: PlugIn) -> None:
    assert is_medium(Path("a.JPG")) and is_medium(Path("a.mkv")) and not is_medium(Path(".a.jpg"))
    assert not is_medium(Path("a.series.csv"))
    code = ADDS.format(name="smell", task="smell-text")
    plug_in("smelling_of_tables", code.replace('tab=""', 'suffixes=frozenset([".series.csv"])'))
    assert is_medium(Path("a.Series.CSV")) and not is_medium(Path("a.csv"))


def test_settings_name_the_base_models_of_those_that_ship(settings: Settings) -> None:
    chosen = replace(settings, speech_model="clap-htsat-unfused")
    assert [base_model(MODALITIES.get(name), chosen) for name in SHIPPED] == [
        AUTO,
        "clap-htsat-unfused",
        AUTO,
    ]
    assert [MODALITIES.get(name).default_model for name in SHIPPED] == [
        "efficientnet-lite0-devise",
        "whisper-tiny-en-minilm",
        "efficientnet-lite0-minilm-video",
    ]


def test_a_modality_of_a_package_whose_model_is_not_there_is_left_out_and_the_rest_starts(
    plug_in: PlugIn, make_app: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    code = ADDS.format(name="smell", task="smell-text")
    plug_in("smelling_of_nothing", code.replace('tab=""', 'model_setting="", default_model="no-nose"'))
    assert "smell" in MODALITIES
    app = make_app("noseless")
    assert (
        "smell" not in MODALITIES
        and "The modality smell is left out: There is no model 'no-nose'" in caplog.text
    )
    assert app.ws.versions.active("image-text") == app.settings.model
