"""The files of a checkpoint in a folder, looked at before a library reads them: which one is wrong, and how.

Libraries say "Expecting value: line 1 column 1" of whichever of ten files it was, and build a network of a
billion layers where a configuration asks for one. The header of a safetensors file
(github.com/huggingface/safetensors, "Format") tells the shapes of all tensors in a few kilobytes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.errors import UserError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = {
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".pkl",
    ".h5",
    ".msgpack",
}  # weights that can run code, or of others
TEXTS = (  # that transformers reads beside the weights
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    INDEX,
)
SIZE = re.compile(r"d_model|.*(size|dim|width|channels|features)")  # of a configuration: no tensor is wider
COUNT = re.compile(r".*(layers|blocks|heads|experts)|depths?")  # each has tensors of its own
TIMM_TYPES = ("timm_wrapper", "timm_backbone")  # transformers' own name of what timm loads
NAMES_ANOTHER = ("backbone", "checkpoint_path", "adapter_path")
LARGEST_HEADER = 100_000_000  # bytes, as safetensors itself has it
SAVED = "Save it again with save_pretrained, or choose another checkpoint."


@dataclass(frozen=True)
class Weights:
    """What the headers of a checkpoint's weights say."""

    tensors: int
    numbers: int  # of all tensors


def require_config(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint in a folder.

    Raises:
        UserError: it has none, or one that cannot be read, names no architecture, or names another network.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(
            f"{folder} has no config.json.", "Name a folder that save_pretrained of transformers has written."
        )
    found = _json(path)
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise UserError(f"{path} names no model_type.", SAVED)
    if _names_another(found):
        raise UserError(
            f"{path} names another network to load.", "Name a folder that holds all of its own network."
        )
    return found


def _names_another(config: Any) -> bool:
    """Whether a network of this configuration would load one that it names: from the Hub, or any file."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
            if one.get("model_type") in TIMM_TYPES or any(one.get(name) for name in NAMES_ANOTHER):
                return True
        elif isinstance(one, list):
            waiting.extend(one)
    return False


def require_weights(folder: Path) -> Weights:
    """What the headers of weights say; refuses those that are not there, not in safetensors or damaged, and a
    configuration of a network that they cannot be of.

    Raises:
        UserError: which file is wrong, and how.
    """
    weights = _weights(folder)
    for name, value in _sizes(require_config(folder)):
        most, of = (weights.tensors, "tensors") if COUNT.fullmatch(name) else (weights.numbers, "numbers")
        if value > most:
            raise UserError(
                f"{folder / 'config.json'} says {name} {value}, but its weights have {most} {of} in all.",
                SAVED,
            )
    return weights


def wrong_text(folder: Path) -> UserError | None:
    """What to say of the first file beside the weights that cannot be read; None: they all can."""
    for path in (folder / name for name in TEXTS):
        if path.is_file():
            try:
                _json(path)
            except UserError as e:
                return e
    return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise UserError(f"{path} is not JSON that can be read.", SAVED) from e


def _weights(folder: Path) -> Weights:
    names = [WEIGHTS]
    if not (folder / WEIGHTS).is_file():
        if not (folder / INDEX).is_file():
            raise _no_weights(folder)
        index = _json(folder / INDEX)
        parts = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(parts, dict) or not parts:
            raise UserError(f"{folder / INDEX} names no files of weights.", SAVED)
        names = sorted({str(name) for name in parts.values()})
    shapes = [shape for name in names for shape in _shapes(folder / name)]
    return Weights(len(shapes), sum(math.prod(shape) for shape in shapes))


def _no_weights(folder: Path) -> UserError:
    others = sorted(f.name for f in folder.iterdir() if f.suffix in PICKLES and f.is_file())
    if others:
        return UserError(
            f"{folder} has its weights only as {others[0]}, a format that is not read here: it can run code.",
            "Save it again as safetensors: load it where you trust it, and call save_pretrained.",
        )
    return UserError(f"{folder} has no {WEIGHTS}.", SAVED)


def _shapes(path: Path) -> list[list[int]]:
    """The shapes of the tensors in a safetensors file, by its header, which must fit the file's length."""
    if not path.is_file():
        raise UserError(f"{path} is missing.", SAVED)
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size > 8 and size - 8 < length <= LARGEST_HEADER and file.read(1) == b"{":
            raise UserError(f"{path} is cut off: it has {size} bytes, and its header alone {length}.", SAVED)
        if size < 8 or length > min(size - 8, LARGEST_HEADER):
            raise UserError(f"{path} is not a safetensors file, or its beginning is damaged.", SAVED)
        header = file.read(length)
    try:
        entries = {k: v for k, v in json.loads(header).items() if k != "__metadata__"}
        shapes = [[int(side) for side in entry["shape"]] for entry in entries.values()]
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as e:
        raise UserError(f"{path} is not a safetensors file, or its beginning is damaged.", SAVED) from e
    whole = 8 + length + end
    if size != whole:
        how = "is cut off" if size < whole else "has something behind its end"
        raise UserError(f"{path} {how}: it has {size} bytes, and its header says {whole}.", SAVED)
    return shapes


def _sizes(config: Any) -> Iterator[tuple[str, int]]:
    """The sizes and counts that a configuration and those in it say."""
    for name, value in config.items() if isinstance(config, dict) else ():
        yield from _sizes(value)
        if isinstance(value, int) and (SIZE.fullmatch(name) or COUNT.fullmatch(name)):
            yield name, value
