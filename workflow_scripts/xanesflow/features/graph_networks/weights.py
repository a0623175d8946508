"""Find a network's weights, and check that they are the published ones.

Weights are identified by their content: a SHA-256 over the tensors, so the same numbers count as the same in any file.
Only tensors are unpickled (`torch.load(weights_only=True)`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xanesflow.core.damage import what_is_wrong
from xanesflow.core.errors import XanesflowError

if TYPE_CHECKING:
    from torch import Tensor

M3GNET_NAME = "M3GNet-MP-2021.2.8-PES"
M3GNET_REPOSITORY = f"materialyze/{M3GNET_NAME}"
"""The model's repository on the Hugging Face Hub, as matgl uses it."""

M3GNET_HASH = "975da0a823b1bc1d79904f9ad454778c741c0187201b81b4a97e20583e711977"
"""Content hash of the published M3GNet-MP-2021.2.8-PES (its state.pt of SHA-256 b0bbb07e…3120)."""

CHGNET_HASH = "97f6a4bbe30d0975bdd15bd1198e8848fe9946496c5fb1a644746eadcc7a6af6"
"""Content hash of CHGNet 0.3.0 as shipped with the package chgnet 0.4.2."""

STATE_FILE = "state.pt"

_M3GNET_PARTS = ("embedding.", "three_body_interactions.", "graph_layers.", "final_layer.")
"""The tensors that the network calculates with; files of some versions also hold tables."""


def m3gnet_weights(path: str | Path | None = None) -> dict[str, Tensor]:
    """The verified tensors of the published M3GNet, on the CPU.

    Args:
        path: folder with state.pt (as matgl stores a model) or that file; None: matgl's cache, else a download.

    Returns:
        name → tensor, names without the leading `model.`.

    Raises:
        XanesflowError: the file does not exist, cannot be downloaded or read, or does not hold the published weights.
    """
    file = find_m3gnet_weights(path)
    tensors = {name.removeprefix("model."): tensor for name, tensor in load_tensors(file).items()}
    tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(_M3GNET_PARTS)}
    check_content(tensors, M3GNET_HASH, file, M3GNET_NAME)
    return tensors


def find_m3gnet_weights(path: str | Path | None = None) -> Path:
    """The file with M3GNet's tensors: at `path`, in matgl's cache, or downloaded into it.

    Raises:
        XanesflowError: it is not at `path`; or the download failed.
    """
    if path is not None:
        file = Path(path).expanduser()
        file = file / STATE_FILE if file.is_dir() else file
        if not file.is_file():
            raise XanesflowError(
                f"M3GNet's weights are not at {file}: set `features.m3gnet_weights` to the folder of "
                f"{M3GNET_NAME} (with model.json and {STATE_FILE}), or to null for matgl's cache or a download."
            )
        return file
    # matgl's own folder. Importing matgl would take seconds and create the folder.
    cache = Path.home() / ".cache" / "matgl"
    flat = cache / M3GNET_NAME / STATE_FILE  # as matgl before version 2 stored it
    return flat if flat.is_file() else _from_hub(cache)


def _from_hub(cache: Path) -> Path:
    """The file in huggingface_hub's cache below matgl's folder; downloaded if it is not there yet."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache  # only needed here

    cached = try_to_load_from_cache(M3GNET_REPOSITORY, STATE_FILE, cache_dir=cache)
    if isinstance(cached, str):
        return Path(cached)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of each try, before the sentence below
    try:
        return Path(hf_hub_download(M3GNET_REPOSITORY, STATE_FILE, cache_dir=cache))
    except Exception as error:
        raise XanesflowError(
            f"M3GNet's weights are not in {cache} and could not be downloaded from "
            f"huggingface.co/{M3GNET_REPOSITORY} ({type(error).__name__}): set `features.m3gnet_weights` (`xanesflow "
            f"predict`: --weights) to a folder with its {STATE_FILE}, or run once with access to the internet."
        ) from error


def load_tensors(file: Path) -> dict[str, Any]:
    """Read a torch file, without ever running code from it.

    Raises:
        XanesflowError: the file is no torch file, is damaged, or holds more than tensors and plain values.
    """
    import torch  # heavy

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise XanesflowError(f"The weights {file} cannot be read: {what_is_wrong(error)}.") from error
    except Exception as error:
        raise XanesflowError(
            f"The weights {file} are damaged, or hold more than tensors: get the published file again."
        ) from error
    if not isinstance(content, dict):
        raise XanesflowError(f"The weights {file} hold no table of tensors: get the published file again.")
    return content


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over tensors sorted by name: of each, `name|dtype|shape|` and its bytes, little-endian, row by row."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}|{array.dtype.name}|{','.join(map(str, array.shape))}|".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def check_content(tensors: Mapping[str, Tensor], expected: str, file: Path, model: str) -> None:
    """Raise XanesflowError unless the tensors have the expected content hash."""
    found = content_hash(tensors)
    if found != expected:
        raise XanesflowError(
            f"The weights {file} are not those of {model}: the SHA-256 of their tensors is {found}, expected "
            f"{expected}; get the published file again, or correct `features.m3gnet_weights`."
        )
