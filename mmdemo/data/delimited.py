"""CSV and TSV as people's tools write them: a quote that nobody closes takes no other line with it.

A line is read with quotes as RFC 4180 has them, else with backslashes before them, as databases write them.
Where neither fits, a quote is a character like any other.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mmdemo.data.columns import is_text_column
from mmdemo.data.formulas import unquote_formula
from mmdemo.media.regular_file import TABLE_MB

MOST_LINES = 1000  # within one quoted field
# How often each character is read, on average, in search of where a quote ends. Beyond it quotes that end in
# another line are characters: each line could begin one, and be read with a thousand others.
MOST_READ = 20
TAB = "\t"
DELIMITERS = f",;{TAB}|"
NAMED = re.compile(r'"?sep=(.)"?\r?', re.IGNORECASE)  # Excel's own first line
REMARK = re.compile(r"\s*\n|\s*#[ !][^\n]*\n")  # above the first line
Line = dict[str, str] | str  # by column, or the sentence that says why there is none


@dataclass(frozen=True)
class Table:
    """A text of lines with fields.

    Args:
        text: the whole of it.
        delimiter: between the fields of a line.
    """

    text: str
    delimiter: str

    def records(self, names_file: Callable[[str], bool]) -> Iterator[list[str]]:
        """The fields of each line that is not empty.

        Args:
            names_file: whether a field is the name of a file: lines that begin so are no part of a text
                that a quote before them has begun.
        """
        csv.field_size_limit(TABLE_MB * 1_000_000)
        lines = self.text.split("\n")
        width = at = 0
        left = MOST_READ * len(self.text) + 1_000_000  # characters that may be read again
        while at < len(lines):
            if not lines[at].strip("\r"):
                at += 1
                continue
            fields, taken, read = self._record(lines, at, width, names_file, left)
            at, left = at + taken, left - read
            width = width or len(fields)
            yield fields

    def _record(
        self, lines: Sequence[str], at: int, width: int, names_file: Callable[[str], bool], left: int
    ) -> tuple[list[str], int, int]:
        """The fields of the record that begins in a line, how many lines it has, and how many characters were
        read for that: where more than `left` were, no other line is tried.
        """
        read = 0
        if '"' not in lines[at]:
            return lines[at].removesuffix("\r").split(self.delimiter), 1, read
        for escape in (None, "\\"):
            taken = 1
            while at + taken <= len(lines) and taken <= MOST_LINES and (taken == 1 or read < left):
                last = lines[at + taken - 1]
                if taken > 1 and self._is_own(last, width, names_file):
                    break
                if '"' not in last:
                    taken += 1
                    continue
                text = "\n".join(lines[at : at + taken]).removesuffix("\r")
                read += len(text)
                fields, is_open = self._parsed(text, escape)
                if fields is not None and (not width or taken == 1 or len(fields) == width):
                    return fields, taken, read
                if not is_open:
                    break
                taken += 1
        return lines[at].removesuffix("\r").split(self.delimiter), 1, read

    def _parsed(self, text: str, escape: str | None) -> tuple[list[str] | None, bool]:
        """The fields of a text, where it is whole; and whether more lines may make it so."""
        if escape and escape not in text:
            return None, False
        reader = csv.reader(
            [text],
            delimiter=self.delimiter,
            strict=True,
            escapechar=escape,
            doublequote=escape is None,
        )
        try:
            return next(reader), False
        except StopIteration:
            return None, False
        except csv.Error as e:
            return None, "unexpected end of data" in str(e)

    def _is_own(self, line: str, width: int, names_file: Callable[[str], bool]) -> bool:
        """Whether a line is by itself a record as those before it."""
        cells = line.removesuffix("\r").split(self.delimiter)
        return len(cells) >= width > 1 and any(names_file(cell.strip().strip('"')) for cell in cells)


def named_delimiter(text: str) -> str:
    """The delimiter that a table names in its first line, as Excel does by sep=; or empty."""
    named = NAMED.fullmatch(text.partition("\n")[0])
    return named[1] if named else ""


def split_head(text: str, suffix: str) -> Table:
    """A table without remarks above it and the line that only names its delimiter; which that is, where no
    line does.

    Args:
        text: of the file.
        suffix: of the file's name, in small letters.
    """
    if named := named_delimiter(text):
        return Table(text.partition("\n")[2], named)
    begin = 0
    while remark := REMARK.match(text, begin):
        begin = remark.end()
    text = text[begin:]
    head = next((line for line in text.split("\n") if line.strip()), "")
    if suffix == ".tsv" and TAB in head:
        return Table(text, TAB)
    return Table(text, max(DELIMITERS, key=head.count))


def rows_of(table: Table, names_file: Callable[[str], bool]) -> Iterator[Line]:
    """The lines below the first, by the columns that it names."""
    return by_column_names(table.records(names_file), names_file, table.delimiter)


def by_column_names(
    records: Iterable[list[str]], names_file: Callable[[str], bool], delimiter: str = ","
) -> Iterator[Line]:
    """The records below the first, by the columns that it names; where it names a file it is one as the
    others, and its columns have no names.

    Args:
        records: the fields of each line.
        names_file: whether a field is the name of a file.
        delimiter: what stood between them.
    """
    header: list[str] | None = None
    for fields in records:
        if header is None:
            header = [name.strip() for name in fields]
            at = next((i for i, cell in enumerate(header) if names_file(_without_number(cell))), None)
            if at is None:
                continue
            header = _unnamed(fields, at, names_file)
        yield _by_column(header, fields, delimiter)


def _unnamed(fields: Sequence[str], at: int, names_file: Callable[[str], bool]) -> list[str]:
    """Names of the columns of a table without a header, by its first line: that of the files, and of the
    others the one with most letters as that of the texts.
    """
    others = [i for i in range(len(fields)) if i != at and not names_file(_without_number(fields[i]))]
    letters = {i: sum(c.isalpha() for c in fields[i]) for i in others}
    text = max((i for i in others if letters[i]), key=lambda i: letters[i], default=None)
    named = {at: "file_name"} | ({} if text is None else {text: "text"})
    return [named.get(i, f"column {i + 1}") for i in range(len(fields))]


def _without_number(cell: str) -> str:
    """The name of a file without the number of its caption, as Flickr's token files have it: 1.jpg#0."""
    return re.sub(r"#\d{1,3}$", "", cell.strip())


def _by_column(header: Sequence[str], fields: list[str], delimiter: str) -> Line:
    """The fields by column. A delimiter more than there are columns belongs to the last one, if that is a
    text: nobody quotes the comma of a caption.
    """
    more = len(fields) - len(header)
    if more > 0:
        if not any(cell.strip() for cell in fields[len(header) :]):
            fields = fields[: len(header)]
        elif len(header) > 1 and is_text_column(header[-1]):
            fields = [*fields[: len(header) - 1], delimiter.join(fields[len(header) - 1 :])]
        else:
            return f"The line has {len(fields)} fields, and the first line names {len(header)} columns."
    cells = dict.fromkeys(header, "") | dict(zip(header, fields, strict=False))
    if "file_name" in cells:
        cells["file_name"] = _without_number(cells["file_name"])
    if delimiter == TAB:  # tables for programs, which hold texts as they are
        return cells
    return {name: unquote_formula(cell) if cell else cell for name, cell in cells.items()}
