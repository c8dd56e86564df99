# ruff: noqa: RUF001, E501  the letters of other scripts are meant, which are wider than one
"""Bytes as text, and tables as people's tools write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.data.delimited import rows_of, split_head
from mmdemo.data.encodings import NAMES, decode
from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.data.tables import names_medium
from mmdemo.errors import MediaError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

TEXTS = {
    "cp932": ("Shift-JIS", "猫が窓のそばに座っている"),
    "euc_jp": ("EUC-JP", "赤い自転車と青い空"),
    "gb18030": ("GB 18030", "一只猫坐在窗边看着海"),
    "big5": ("Big5", "一隻貓坐在窗邊看著海"),
    "cp949": ("EUC-KR", "고양이가 창가에 앉아 있다"),
    "cp1251": ("Windows-1251", "кошка сидит на окне"),
    "koi8_r": ("KOI8-R", "кошка сидит на окне"),
    "cp1250": ("Windows-1250", "Žlutá kočka spí na pohovce, muž jede na kole přes most"),
    "cp1256": ("Windows-1256", "قطة تجلس بجانب النافذة"),
    "cp866": ("CP866", "Кошка сидит на окне, две девочки играют в саду"),
    "cp874": ("Windows-874", "แมวนั่งอยู่ข้างหน้าต่าง"),
    "iso8859_5": ("ISO 8859-5", "Кошка сидит на окне, две девочки играют в саду"),
    "iso2022_jp": ("ISO 2022-JP", "猫が窓のそばに座っている"),
    "mac_roman": ("Mac Roman", "Une tasse de café crème à l’hôtel, près de l’église, en été"),
    "cp1253": ("Windows-1253", "η γάτα κάθεται στο παράθυρο"),
    "cp1252": ("Windows-1252", "Une tasse de café crème – à l’hôtel"),
    "utf-16-le": ("UTF-16 without a mark", "a cat, une tasse de café, кошка"),
    "utf-16-be": ("UTF-16 without a mark", "a cat, 猫"),
    "utf-16": ("", "a cat, 猫"),
    "utf-32": ("", "a cat, 猫"),
    "utf-8": ("", "猫, café, кошка"),
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_text_is_read_in_its_encoding_which_is_named(encoding: str) -> None:
    name, text = TEXTS[encoding]
    found = decode(f"file_name,text\na.png,{text}\n".encode(encoding), "m.csv")
    assert (found.name, found.text) == (name, f"file_name,text\na.png,{text}\n")


def test_the_preview_says_in_which_encoding_a_table_was(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    (folder / "metadata.csv").write_bytes("file_name,text\na.png,猫が座っている\n".encode("cp932"))
    shown = ask(app, "import_preview", source=str(folder), task=TASK)
    assert shown["notes"] == ["metadata.csv was read as Shift-JIS."]
    assert shown["rows"][0]["text"] == "猫が座っている"


def test_one_damaged_line_of_utf_8_costs_that_line_only(ws: Workspace, tmp_path: Path) -> None:
    lines = [f"{i}.png,кошка {i}".encode() for i in range(20)]
    lines[3] = b"3.png,\xd0 \xff"
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(png((i, 9, 9)))
    (tmp_path / "m.csv").write_bytes(b"\n".join([b"file_name,text", *lines]))
    report = import_source(ws, str(tmp_path / "m.csv"), TASK)
    assert report.pairs == 19 and [s.row for s in report.skipped] == [4]


LINES = {  # of ten captions, as people's tables have them
    "Hebrew": (
        ("cp1255",),
        "כלב ישן על הספה|אישה צעירה קוראת ספר|שני גברים משחקים כדורגל|שקיעה מעל הים|הילד מחזיק בלון|כוס מים על השולחן|"
        "רחוב צר בעיר|ציפור יושבת על ענף|שלג מכסה את ההרים|רוכב אופניים בשביל",
    ),
    "Polish": (
        ("cp1250", "iso8859_2", "cp852"),
        "Pies śpi na kanapie|Młoda kobieta czyta książkę|Dwóch mężczyzn gra w piłkę|Zachód słońca nad morzem|"
        "Dziecko trzyma balon|Szklanka wody na stole|Wąska uliczka w mieście|Ptak siedzi na gałęzi|Śnieg pokrywa góry|"
        "Rowerzysta jedzie ścieżką",
    ),
    "Russian": (
        ("cp1251", "mac_cyrillic", "koi8_r", "cp866", "iso8859_5"),
        "собака спит на диване|Молодая женщина читает книгу|два мужчины играют в футбол|закат над морем|"
        "Ребёнок держит шар|стакан воды|узкая улица в городе|птица сидит на ветке|снег покрывает горы|велосипедист",
    ),
    "Arabic": (
        ("cp1256", "iso8859_6"),
        "الكلب نائم على الأريكة|امرأة شابة تقرأ كتابا|رجلان يلعبان كرة القدم|غروب الشمس فوق البحر|الطفل يمسك بالونا|"
        "كوب ماء على الطاولة|شارع ضيق في المدينة|طائر على الغصن|الثلج يغطي الجبال|راكب دراجة",
    ),
    "German": (
        ("cp1252", "mac_roman", "cp850"),
        "Der kleine Junge hält einen Luftballon|Drei Vögel über dem Dorf|Grüße aus München|Das Frühstück steht bereit|"
        "Ein Boot bei Sonnenuntergang|Eine ältere Frau mit Hut|Schnee auf den Dächern|Kinder am Strand|Die Brücke|Ein Fuß",
    ),
    "Greek": (
        ("cp1253", "iso8859_7"),
        "Ο σκύλος κοιμάται στον καναπέ|Μια νέα γυναίκα διαβάζει|Δύο άντρες παίζουν|Ηλιοβασίλεμα πάνω από τη θάλασσα|"
        "Το παιδί κρατά μπαλόνι|Ένα ποτήρι νερό|Στενός δρόμος|Άσπρο πουλί στο κλαδί|Χιόνι στα βουνά|Ποδηλάτης",
    ),
}


@pytest.mark.parametrize("language", LINES)
def test_a_table_of_ten_lines_is_read_in_the_encoding_that_it_is_in(language: str) -> None:
    encodings, said = LINES[language]
    lines = (f"images/{i}.jpg,{caption}\r\n" for i, caption in enumerate(said.split("|")))
    text = "file_name,text\r\n" + "".join(lines)
    for encoding in encodings:
        found = decode(text.encode(encoding), "m.csv")
        assert (found.text, found.name) == (text, NAMES[encoding])


@pytest.mark.parametrize(
    "text", ["猫が窓のそばに座っている", "кошкасидитнаокне", "一只猫坐在窗边看着大海", "חתוליושבליד"]
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_without_a_mark_and_without_a_blank(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), "m.txt").text == text


def test_an_encoding_that_cannot_be_told_is_said_to_be_a_guess(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    (folder / "m.csv").write_bytes("file_name,text\na.png,caña\n".encode("cp1252"))
    with open_source(str(folder)) as opened:
        assert [row.text for row in opened.rows() if isinstance(row, Row)] == ["caña"]
        (note,) = opened.source.notes
    assert note == (
        "m.csv was read as Windows-1252, which is a guess: where its texts look wrong, save it as UTF-8."
    )


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(MediaError, match=r"m.csv is in no encoding that is known"):
        decode(b"file_name,text\na.png," + bytes(range(0x80, 0x100)), "m.csv")


def table(text: str, suffix: str = ".csv") -> list[list[str] | str]:
    return [
        line if isinstance(line, str) else list(line.values())
        for line in rows_of(split_head(text, suffix), names_medium)
    ]


def test_a_quote_that_nobody_closes_is_a_character_of_its_line() -> None:
    lines = ["file\ttext", '1.png\t"Stop, he said', "2.png\ttwo", '3.png\t"three" is a word', "4.png\tfour"]
    assert table("\n".join(lines), ".tsv") == [line.split("\t") for line in lines[1:]]
    lines = ["file\ttext", '1.png\t"Stop, he said', "2.png\ttwo", '3.png\the said "', "4.png\tfour"]
    assert table("\n".join(lines), ".tsv") == [line.split("\t") for line in lines[1:]]


def test_a_quoted_field_may_hold_lines_delimiters_and_quotes() -> None:
    text = 'file,text\r\n1.png,"one, ""two""\r\nand three"\r\n2.png,"said \\"so\\", she"\r\n3.png,plain\r\n'
    assert table(text) == [
        ["1.png", 'one, "two"\r\nand three'],
        ["2.png", 'said "so", she'],
        ["3.png", "plain"],
    ]


def test_a_delimiter_that_nobody_quoted_stays_in_the_text_and_is_told_elsewhere() -> None:
    assert table("file,text\n1.png,a cat, asleep\n") == [["1.png", "a cat, asleep"]]
    assert table("text,file\na cat, asleep,1.png\n") == [
        "The line has 3 fields, and the first line names 2 columns."
    ]
    assert table("file,text\n1.png,a cat,,\n") == [["1.png", "a cat"]]


def test_the_preview_says_that_a_table_names_its_delimiter(app: App, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png())
    (tmp_path / "in" / "m.csv").write_text("sep=;\nfile;text\na.png;one, two\n")
    shown = ask(app, "import_preview", source=str(tmp_path / "in"), task=TASK)
    assert shown["notes"] == ["m.csv says itself that ';' stands between its fields."]
    assert shown["rows"][0]["text"] == "one, two"


def test_excels_line_that_names_the_delimiter_is_none_of_the_table() -> None:
    assert table("sep=;\nfile;text\n1.png;one, two\n") == [["1.png", "one, two"]]


def test_a_field_of_any_length_is_one_field() -> None:
    long = "a" * 11_000_000
    assert table(f'file,text\n1.png,"{long}"\n2.png,two\n') == [["1.png", long], ["2.png", "two"]]
