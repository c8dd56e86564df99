"""Which encoders of transformers can be the text tower of a pair, and what of a configuration is believed.

A saved pair carries the configuration of its text tower, and may have come with a backup. Some networks of
transformers load another one by a name in their configuration, from the Hub, with this host's token, or from
any file of the server. So a pair takes encoders of text alone, and of each only what its own configuration
has: numbers and short words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmdemo.errors import UserError
from mmdemo.heavy_imports import heavy

# fmt: off
TEXT_ENCODERS = frozenset([
    "albert", "bert", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
    "electra", "ernie", "eurobert", "jina_embeddings_v3", "megatron-bert", "mobilebert", "modernbert",
    "mpnet", "nomic_bert", "rembert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl",
])
# fmt: on
NOT_OF_TENSORS = frozenset(
    ["model_type", "transformers_version", "architectures", "dtype", "problem_type", "id2label", "label2id"]
)
LOADING = ("backbone", "auto_map", "quantization", "implementation", "path", "pretrained", "adapter")
LONGEST = 40  # characters of a word, such as the name of an activation
MOST_LAYERS = 256  # and entries of a list, which has one for each layer
DEEPEST = 2


def plain_text_config(values: Any, name: str) -> dict[str, Any]:
    """What of a text encoder's configuration makes its network, `model_type` included.

    Args:
        values: as `to_dict` of transformers gives it, or as somebody has written it.
        name: of the encoder, for who reads the sentence.

    Raises:
        UserError: it is no text encoder, or a value is neither a number nor a short word.
    """
    kind = values.get("model_type") if isinstance(values, Mapping) else None
    if not isinstance(kind, str) or kind not in TEXT_ENCODERS:
        raise UserError(
            f"{name[:100]} is no text encoder that a pair of towers takes.",
            f"Choose one of these: {', '.join(sorted(TEXT_ENCODERS))}.",
        )
    own = heavy("transformers").AutoConfig.for_model(kind).to_dict()
    kept = {
        key: value
        for key, value in values.items()
        if key in own and key not in NOT_OF_TENSORS and not _loads(key) and not key.startswith("_")
    }
    odd = next((key for key, value in kept.items() if not _is_plain(value)), None)
    deep = next((key for key, value in kept.items() if "layers" in key and not _is_few(value)), None)
    if odd is not None or deep is not None:
        raise UserError(f"The configuration of {name[:100]} has an odd {odd or deep}.", "Choose another.")
    return {"model_type": kind} | kept


def text_network(values: Any, name: str) -> Any:
    """A network of transformers with weights that nobody has trained; nothing is loaded for it.

    Raises:
        UserError: as `plain_text_config` has it.
    """
    plain = plain_text_config(values, name)
    transformers = heavy("transformers")
    config = transformers.AutoConfig.for_model(plain.pop("model_type"), **plain)
    return transformers.AutoModel.from_config(config, trust_remote_code=False)


def _loads(key: str) -> bool:
    return any(word in key for word in LOADING)


def _is_few(value: Any) -> bool:
    return not isinstance(value, int) or value <= MOST_LAYERS


def _is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, dict | list) and depth < DEEPEST and len(value) <= MOST_LAYERS:
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        return all(_is_plain(one, depth + 1) for one in inner)
    if isinstance(value, str):
        return len(value) <= LONGEST
    return value is None or isinstance(value, bool | int | float)
