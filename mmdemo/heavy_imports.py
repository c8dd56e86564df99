"""Libraries that take seconds to import: when they are needed, and by one thread at a time.

Page, loaders and background threads may each be the first to need PyTorch. transformers puts another module
in its own place at the end of its import and imports its parts when they are asked for: a second thread that
comes meanwhile is told that it has no `AutoConfig`. Others (peft, faster-whisper through CTranslate2) import
transformers themselves. So none of them is imported outside this file, except PyTorch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

# Parts of transformers that all of its models share and that import each other; with them in memory, models
# of two threads load side by side.
SHARED = (
    "AutoConfig",
    "AutoFeatureExtractor",
    "AutoImageProcessor",
    "AutoModel",
    "AutoProcessor",
    "AutoTokenizer",
    "GenerationMixin",
    "PreTrainedModel",
)
WITHOUT = ("accelerate",)  # do not import transformers: a head is trained without those seconds and 200 MB
_lock = threading.RLock()
_modules: dict[str, Any] = {}


def heavy(name: str) -> Any:
    """A module of a heavy library, such as `faster_whisper.vad`; imported by the first who asks.

    Raises:
        ImportError: it is not installed.
    """
    if name not in _modules:
        with _lock:
            alone = name.partition(".")[0] in WITHOUT
            if not alone and "transformers" not in _modules:  # whoever is first: most of the others import it
                transformers = import_module("transformers")
                for part in SHARED:
                    getattr(transformers, part)
                _quieten(transformers.utils.logging)
                _modules["transformers"] = transformers
            _modules[name] = import_module(name)
    return _modules[name]


def _quieten(logs: Any) -> None:
    """Leave it to mmdemo to say what is wrong with a model, unless TRANSFORMERS_VERBOSITY asks for more:
    reports of a hundred lines and bars come between whoever asks and the one sentence.
    """
    logs.disable_progress_bar()
    if logs.get_verbosity() == logs.WARNING:
        logs.set_verbosity_error()


def lazy(path: str) -> Callable[..., Any]:
    """A function named as `module:function`, whose module is imported when it is first called."""
    module, _, function = path.partition(":")

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), function)(*args, **kwargs)

    call.__name__ = function
    call.__qualname__ = path
    return call
