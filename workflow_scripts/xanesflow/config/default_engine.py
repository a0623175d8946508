"""The options of an engine where nobody configured it."""

from __future__ import annotations

from typing import Any

from xanesflow.config.campaign import Campaign
from xanesflow.config.model import Config


def default_engine_options(theory: str, element: str) -> dict[str, Any]:
    """The options of a theory's engine as a configuration without changes gives them.

    Args:
        theory: name of a level of theory.
        element: symbol of the absorber.

    Returns:
        What `codes.registry.engine_of` and `codes.quick_look.quick_look_of` take.
    """
    return Campaign(Config()).engine_options(f"{element}_{theory}")
