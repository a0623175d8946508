"""Quick FEFF in `xanesflow xanes`: as FEFF, with settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xanesflow.codes.feff.quick_look import FeffLook
from xanesflow.codes.feffq.options import SETTINGS
from xanesflow.core.errors import WrongCallError
from xanesflow.core.text import listing, quoted


class FeffqLook(FeffLook):
    """See `xanesflow.codes.quick_look`."""

    basis = "FEFF 10 at small radii; see docs/guide/quick-feff.md"

    def changed(self, options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The options with the named settings."""
        name = given.get("settings", options["settings"])
        if name not in SETTINGS:
            raise WrongCallError(f"--settings {quoted(name)} is not known; use {listing(list(SETTINGS))}.")
        return {**options, "settings": name}
