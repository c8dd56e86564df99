"""The decoders' door: what they raise of a file, whatever it is, is one sentence that names the file.

Pillow, PyAV and the libraries below them fail in every way at files of other people's making: `struct.error`
of odd EXIF, `RuntimeError` of a damaged AVIF, `UnicodeDecodeError` of a tag that is not UTF-8.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from mmdemo.errors import MediaError, MmdemoError, is_disk_full, one_line, reason

OF_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error)  # what decoders raise where bytes lack
SHOWN = 200  # characters of what a decoder says

log = logging.getLogger(__name__)


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
        if is_disk_full(e):
            raise
        if isinstance(e, PermissionError):
            raise MediaError(f"{name} cannot be read: {reason(e)}.", "Check its permissions.") from e
        log.info("%s cannot be decoded", name, exc_info=e)
        if isinstance(e, OF_DAMAGE):
            raise MediaError(f"{name} is cut off or damaged: {one_line(reason(e))[:SHOWN]}.", cure) from e
        why = f"{type(e).__name__}: {one_line(str(e))[:SHOWN]}"
        raise MediaError(f"{name} cannot be read: {why}.", cure) from e
