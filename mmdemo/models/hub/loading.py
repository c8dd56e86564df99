"""Loading a model of transformers by its Hub id, perhaps with a revision (ID@REVISION), or a folder: the one
place where that is done.

Weights are safetensors, which cannot run code; code from the Hub is never run; what does not fit its
architecture is refused instead of being filled with random numbers.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from safetensors import SafetensorError

from mmdemo.errors import UserError
from mmdemo.heavy_imports import heavy
from mmdemo.models.hub.errors import unavailable
from mmdemo.models.presets import split_revision

log = logging.getLogger(__name__)
SHOWN_KEYS = 3  # of the tensors that a checkpoint lacks


def load_config(name: str) -> Any:
    """The configuration of a model: small, and enough to know what it is.

    Raises:
        UserError: there is no such model, or of no architecture that transformers knows.
    """
    repo, how = split_revision(name)
    try:
        return heavy("transformers").AutoConfig.from_pretrained(repo, trust_remote_code=False, **how)
    except (OSError, ValueError, KeyError) as e:
        raise unavailable(name, e, "found") from e


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
    heavy("transformers").utils.logging.disable_progress_bar()
    repo, revision = split_revision(name)
    try:
        model, told = getattr(heavy("transformers"), architecture).from_pretrained(
            repo,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            **revision,
            **how,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as e:
        raise unavailable(name, e) from e
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
        model = heavy("peft").PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.to(device).eval().requires_grad_(False)


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
    repo, how = split_revision(name)
    try:
        return getattr(heavy("transformers"), kind).from_pretrained(repo, trust_remote_code=False, **how)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as e:
        raise unavailable(name, e) from e
