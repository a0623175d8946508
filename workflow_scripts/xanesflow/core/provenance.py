"""The provenance that every output records: software versions, configuration, hashes of its inputs."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from xanesflow import __version__
from xanesflow.core.files import sha256_file


def versions(packages: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of xanesflow, Python, numpy and the named packages, if they are installed."""
    found = {"xanesflow": __version__, "python": platform.python_version()}
    for package in ("numpy", *packages):
        try:
            found[package] = _version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def _version(package: str) -> str:
    """Look a version up once, because each run of a chunk records it."""
    return version(package)


def provenance(inputs: Iterable[str | Path], packages: Iterable[str] = (), config: str | None = None) -> dict[str, str]:
    """Return the attributes of an output file.

    Args:
        inputs: its input files; recorded by name (not path) with their SHA-256.
        packages: distribution names whose versions matter.
        config: the configuration as JSON.
    """
    attributes = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": json.dumps(versions(packages), sort_keys=True),
        "inputs_sha256": json.dumps({Path(p).name: sha256_file(p) for p in inputs}, sort_keys=True),
    }
    if config is not None:
        attributes["config"] = config
    return attributes
