"""What to say of a model of the Hub that cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlparse

from mmdemo.errors import UserError, one_line, reason
from mmdemo.media.regular_file import is_folder
from mmdemo.models.hub.local_cache import is_local
from mmdemo.models.presets import PRESETS

NO_NETWORK = {
    "ConnectError",
    "ConnectTimeout",
    "ReadTimeout",
    "ConnectionError",
    "ProxyError",
}  # of the clients beneath


def unavailable(name: str, e: Exception, done: str = "loaded") -> UserError:
    """What to say of a model that could not be got: whether it is not there, may not be read, or there is no
    network; then also what needs none.
    """
    from huggingface_hub import errors

    kinds = [type(one) for one in _causes(e)]
    if any(issubclass(k, errors.GatedRepoError | errors.RepositoryNotFoundError) for k in kinds):
        return UserError(
            f"The model {name} could not be {done}: there is none of that name, or it is private.",
            "Check the name; of a private one, sign in with hf auth login or set HF_TOKEN first.",
        )
    if any(issubclass(k, errors.RevisionNotFoundError) for k in kinds):
        return UserError(f"The model {name} could not be {done}: there is no such revision.", "Check it.")
    offline = errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError | ConnectionError
    if any(issubclass(k, offline) or k.__name__ in NO_NETWORK for k in kinds):
        return UserError(
            f"The model {name} could not be {done}: it was not downloaded before, and there is no network"
            f"{_host()}.",
            f"Without one there are: {', '.join(_local_models())}.",
        )
    if is_folder(name):
        cure = "Choose another checkpoint, or save it again."
        why = one_line(str(e) or type(e).__name__)[:300].rstrip(".")
        return UserError(f"The model in {name} could not be {done}: {why}.", cure)
    return UserError(
        f"The model {name} could not be {done}: {reason(e)}.",
        "Check its name or folder, and that there is a network or that it was downloaded before.",
    )


def _host() -> str:
    """Which host was asked, as the end of a sentence."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return ", as HF_HUB_OFFLINE says"
    return f": {urlparse(constants.ENDPOINT).netloc} cannot be reached"


def _causes(e: BaseException | None) -> Iterator[BaseException]:
    while e is not None:
        yield e
        e = e.__cause__ or e.__context__


def _local_models() -> list[str]:
    return [p.id for p in PRESETS.values() if is_local(p)]
