"""The decoders' door: what they raise of a file, whatever it is, is one sentence that names the file.

Pillow, PyAV and the libraries below them fail in every way at files of other people's making: `struct.error`
of odd EXIF, `RuntimeError` of a damaged AVIF, `UnicodeDecodeError` of a tag that is not UTF-8. What fails in
mmdemo's own code as no file makes it fail is a fault of mmdemo's, and passes as it is.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdemo.errors import MediaError, MmdemoError, is_disk_full, one_line, reason
from mmdemo.media.told_rarely import ToldRarely

OF_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what decoders raise where bytes lack
OF_OURS = (
    AssertionError,
    AttributeError,
    NameError,
    TypeError,
)  # raised by mmdemo's own lines: a mistake there
PACKAGE = str(Path(__file__).parents[1])
SHOWN = 200  # characters of what a decoder says

TOLD = ToldRarely(logging.getLogger(__name__))


@contextmanager
def decoding(name: str, cure: str = "Export or download it again.") -> Iterator[None]:
    """Whatever is raised within this block while a file is decoded is a `MediaError`.

    Args:
        name: what the file is called in a sentence.
        cure: what to do about one that is damaged.

    Raises:
        MediaError: the decoder or the system refused the file, in one sentence.
        MmdemoError: as it was raised within.
        OSError: what was made of the file had no room on the disk.
        AssertionError, AttributeError, NameError, TypeError: a mistake of mmdemo's own.
    """
    try:
        yield
    except MmdemoError:
        raise
    except MemoryError as e:
        raise MediaError(f"{name} takes more memory than there is.", "Make it smaller first.") from e
    except FileNotFoundError as e:
        raise MediaError(f"{name} does not exist.", "Check the path.") from e
    except Exception as e:
        if is_disk_full(e) or _is_ours(e):
            raise
        if isinstance(e, PermissionError):
            raise MediaError(f"{name} cannot be read: {reason(e)}.", "Check its permissions.") from e
        if isinstance(e, OF_DAMAGE) or type(e) is RuntimeError:  # which is AVIF's word for all damage
            TOLD.tell(logging.INFO, f"A file is damaged: {type(e).__name__}")
            raise MediaError(f"{name} is cut off or damaged: {one_line(reason(e))[:SHOWN]}.", cure) from e
        TOLD.tell(logging.WARNING, f"A file cannot be decoded: {type(e).__name__}", e)
        why = f"{type(e).__name__}: {one_line(str(e))[:SHOWN]}"
        raise MediaError(f"{name} cannot be read: {why}.", cure) from e


def _is_ours(e: BaseException) -> bool:
    """Whether an error is a mistake of mmdemo's own: raised by its own lines, and none that files cause."""
    trace = e.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        isinstance(e, OF_OURS) and trace is not None and trace.tb_frame.f_code.co_filename.startswith(PACKAGE)
    )
