"""Loading a model of transformers by its Hub id, perhaps with a revision (ID@REVISION), or a folder: the one
place where that is done.

Weights are safetensors, which cannot run code; code from the Hub is never run; what does not fit its
architecture is refused instead of being filled with random numbers.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from mmdemo.errors import StorageError, UserError, reason
from mmdemo.heavy_imports import heavy
from mmdemo.media.regular_file import is_folder
from mmdemo.models.hub.checkpoint_files import SAVED, Weights, require_config, require_weights, wrong_text
from mmdemo.models.hub.errors import unavailable
from mmdemo.models.hub.reach import hub_options
from mmdemo.models.presets import split_revision
from mmdemo.models.weight_shapes import shapes_in

log = logging.getLogger(__name__)
ADAPTER_WEIGHTS = "adapter_model.safetensors"
NOT_OF_AN_ADAPTER = ("megatron_config", "layer_replication", "loftq_config", "eva_config", "corda_config")
MOST_MORE, OF_BUFFERS = 2, 1_000_000  # numbers of a network by those of its weights, and what is in no file
SHOWN_KEYS = 3  # of the tensors that a checkpoint lacks


def load_config(name: str) -> Any:
    """The configuration of a model: small, and enough to know what it is.

    Raises:
        UserError: there is no such model, or of no architecture that transformers knows.
    """
    if is_folder(name):
        require_config(Path(name))
    repo, how = _place(name, "found")
    try:
        return heavy("transformers").AutoConfig.from_pretrained(repo, trust_remote_code=False, **how)
    except Exception as e:  # of transformers and what it checks configurations with: many kinds
        raise _wrong(name, e, "found") from e


def _place(name: str, done: str = "loaded") -> tuple[str, dict[str, Any]]:
    """What `from_pretrained` takes: the folder, or the Hub id with what is told of it.

    Raises:
        UserError: there is no such folder, or no way to the Hub.
    """
    repo, revision = split_revision(name)
    if is_folder(repo):  # it may have come with a backup: nothing that it names is asked of the Hub
        return repo, revision | {"local_files_only": True}
    if repo.startswith((".", "~")) or repo.count("/") != repo.strip("/").count("/") or repo.count("/") > 1:
        raise UserError(f"There is no folder {repo}.", "Check the path; a Hub id is written as NAME/MODEL.")
    return repo, revision | hub_options(name, done)


def _wrong(name: str, e: Exception, done: str = "loaded") -> UserError:
    """What to say of a model that a library fails at: the file that is wrong, where one is."""
    found = wrong_text(Path(name)) if is_folder(name) else None
    return found or unavailable(name, e, done)


def load_network(architecture: str, name: str, device: torch.device, adapter: str = "", **how: Any) -> Any:
    """A network in evaluation mode, with an adapter merged into it.

    Args:
        architecture: the name of a class of transformers.
        name: a Hub id or a folder.
        device: where it goes.
        adapter: a folder of LoRA weights; empty: none.
        how: more for `from_pretrained`.

    Raises:
        UserError: it is not at hand, not in safetensors, damaged, or of another architecture.
    """
    if is_folder(name):
        _require_numbers_for(architecture, name, require_weights(Path(name)))
    repo, revision = _place(name)
    try:
        model, told = getattr(heavy("transformers"), architecture).from_pretrained(
            repo,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by their names
            **revision,
            **how,
        )
    except Exception as e:  # of transformers, safetensors and PyTorch: many kinds
        raise _wrong(name, e) from e
    _require_shapes(name, told["mismatched_keys"])
    lacking = sorted(told["missing_keys"])
    if lacking:
        more = f" and {len(lacking) - SHOWN_KEYS} more" if len(lacking) > SHOWN_KEYS else ""
        shown = ", ".join(lacking[:SHOWN_KEYS]) + more
        raise UserError(
            f"The model {name} lacks tensors of {architecture}: {shown}.",
            "Choose a checkpoint of that architecture, or save it again.",
        )
    extra = sorted(told["unexpected_keys"])
    if extra:
        log.warning(
            "The model %s has %d tensors that %s does not use, such as %s.",
            name,
            len(extra),
            architecture,
            extra[0],
        )
    require_numbers(model, name)
    if adapter:
        model = load_adapter(model, adapter).merge_and_unload()
    return model.to(device).eval().requires_grad_(False)


def _require_numbers_for(architecture: str, name: str, weights: Weights) -> None:
    """Refuse a folder whose configuration asks for a network of far more numbers than its weights have,
    before that takes memory; what has other tensors of like size is told by their names afterwards.

    Raises:
        UserError: it does, or no such network can be made.
    """
    config, kind = load_config(name), getattr(heavy("transformers"), architecture)
    try:
        with torch.device("meta"):  # tensors have shapes there, and no memory
            network = kind.from_config(config) if hasattr(kind, "from_config") else kind(config)
    except Exception as e:  # of transformers and PyTorch: many kinds
        raise _wrong(name, e) from e
    asked = sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers()))
    if asked > MOST_MORE * weights.numbers + OF_BUFFERS:
        raise UserError(
            f"{Path(name) / 'config.json'} asks for {asked:,} numbers, "
            f"but its weights have {weights.numbers:,} in all.",
            SAVED,
        )


def load_adapter(network: Any, adapter: str, **how: Any) -> Any:
    """A network with an adapter on it, which lies in a version's folder and may have come with a backup.

    Args:
        network: of transformers, or a pair of towers.
        adapter: the folder of LoRA weights.
        how: more for `from_pretrained` of peft.

    Raises:
        StorageError: it is damaged, has no weights in safetensors, or is of another network.
    """
    folder = Path(adapter)
    try:
        if not (folder / ADAPTER_WEIGHTS).is_file():  # peft would take a pickle, or ask the Hub
            raise ValueError(f"it has no {ADAPTER_WEIGHTS}")
        _require_rank(folder)
        return heavy("peft").PeftModel.from_pretrained(network, adapter, local_files_only=True, **how)
    except Exception as e:  # of peft, safetensors and PyTorch: many kinds
        raise StorageError(
            f"The adapter of {folder.parent.name} cannot be read: {reason(e)[:300]}.",
            "Activate another version.",
        ) from e


def _require_rank(folder: Path) -> None:
    """Refuse an adapter that is not LoRA, or asks for wider matrices than its weights are, or for more than
    one of each layer, or has a package imported.

    Raises:
        ValueError: which of these it is.
    """
    config = json.loads((folder / "adapter_config.json").read_bytes())
    widest = max((max(shape, default=1) for shape in shapes_in(folder / ADAPTER_WEIGHTS).values()), default=0)
    ranks = [config.get("r", 8), *(config.get("rank_pattern") or {}).values()]
    if config.get("peft_type") != "LORA":
        raise ValueError("it is not LoRA")
    if not all(isinstance(rank, int) and 0 < rank <= widest for rank in ranks):
        raise ValueError("its configuration asks for a rank that its weights do not have")
    strange = next((name for name in NOT_OF_AN_ADAPTER if config.get(name)), None)
    if strange is not None or config.get("init_lora_weights", True) not in (True, False):
        raise ValueError(f"its configuration has an odd {strange or 'init_lora_weights'}")


def _require_shapes(name: str, mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]]) -> None:
    """Refuse tensors of other shapes than the configuration says."""
    wrong = sorted(mismatched)
    if wrong:
        tensor, has, wanted = wrong[0]
        others = f", and {len(wrong) - 1} more do not fit" if len(wrong) > 1 else ""
        raise UserError(
            f"The model {name} has the tensor {tensor} of {_words(has)} numbers, "
            f"and its config.json says {_words(wanted)}{others}.",
            "Put the config.json beside it that it was saved with.",
        )


def _words(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"


def require_numbers(model: Any, name: str) -> None:
    """Refuse weights that hold what is no number: every answer would be none."""
    for tensor_name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                f"The model {name} has values in its tensor {tensor_name} that are no numbers.",
                "Choose another checkpoint: this one was saved after a training that went wrong.",
            )


def load_tokenizer(name: str) -> Any:
    """The tokeniser of a model.

    Raises:
        UserError: it is not at hand, cannot be read, or there is none.
    """
    found = load_part("AutoTokenizer", name)
    require_tokens(found, name)
    return found


def require_tokens(tokenizer: Any, name: str) -> None:
    """Refuse a tokeniser that transformers made of nothing, for a checkpoint that has none: all texts would
    be one to it.
    """
    if len(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)) < 2:
        raise UserError(
            f"The model {name} has no tokeniser.",
            "Put its files, such as tokenizer.json, beside it.",
        )


def load_part(kind: str, name: str) -> Any:
    """A tokeniser or processor of a model, by the name of its class in transformers.

    Raises:
        UserError: it is not at hand or cannot be read.
    """
    repo, how = _place(name)
    try:
        return getattr(heavy("transformers"), kind).from_pretrained(repo, trust_remote_code=False, **how)
    except Exception as e:  # of transformers and tokenizers: many kinds
        raise _wrong(name, e) from e
