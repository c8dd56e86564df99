"""Loading a model of transformers by its Hub id or a folder: the one place where that is done.

Weights are safetensors, which cannot run code; code from the Hub is never run; what does not fit its
architecture is refused instead of being filled with random numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors import SafetensorError

from mmdemo.errors import UserError

SHOWN_KEYS = 3  # of the tensors that a checkpoint lacks


def load_config(name: str) -> Any:
    """The configuration of a model: small, and enough to know what it is.

    Raises:
        UserError: there is no such model, or of no architecture that transformers knows.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as e:
        raise not_at_hand(name, e, "found") from e


def load_network(architecture: Any, name: str, device: torch.device, adapter: str = "", **how: Any) -> Any:
    """A network in evaluation mode, with an adapter merged into it.

    Args:
        architecture: a class of transformers with `from_pretrained`.
        name: a Hub id or a folder.
        device: where it goes.
        adapter: a folder of LoRA weights; empty: none.
        how: more for `from_pretrained`.

    Raises:
        UserError: it is not at hand, not in safetensors, damaged, or of another architecture.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    try:
        model, told = architecture.from_pretrained(
            name,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            **how,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as e:
        raise not_at_hand(name, e) from e
    lacking = sorted(told["missing_keys"])
    if lacking:
        more = f" and {len(lacking) - SHOWN_KEYS} more" if len(lacking) > SHOWN_KEYS else ""
        shown = ", ".join(lacking[:SHOWN_KEYS]) + more
        raise UserError(
            f"The model {name} lacks tensors of {architecture.__name__}: {shown}.",
            "Choose a checkpoint of that architecture, or save it again.",
        )
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model.to(device).eval().requires_grad_(False)


def load_part(kind: Any, name: str) -> Any:
    """A tokeniser or processor of a model.

    Raises:
        UserError: it is not at hand or cannot be read.
    """
    try:
        return kind.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as e:
        raise not_at_hand(name, e) from e


def not_at_hand(name: str, e: Exception, done: str = "loaded") -> UserError:
    """What to say of a model that transformers could not get."""
    why = (str(e).strip().splitlines() or [type(e).__name__])[0].rstrip(".")
    return UserError(
        f"The model {name} could not be {done}: {why}",
        "Check its name or folder, and that there is a network or that it was downloaded before.",
    )
