"""The section `features` of config.yaml: how models see a structure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xanesflow.config.base import Section, unique
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import KNOWN, parse_features


def _feature_names(name: str) -> str:
    try:
        return "+".join(parse_features(name, any_name=True))  # `checks` looks for unknown names
    except XanesflowError as error:
        raise ValueError(str(error)) from None


def _different(names: list[str]) -> list[str]:
    first: dict[frozenset[str], str] = {}
    for name in names:
        if (same := first.setdefault(frozenset(name.split("+")), name)) != name:
            raise ValueError(f"{same} and {name} are the same features in another order; remove one of them")
    return names


FeatureName = Annotated[str, AfterValidator(_feature_names)]


class FeaturesSection(Section):
    """How models see a structure."""

    models: (
        Annotated[list[FeatureName], Field(min_length=1), AfterValidator(unique), AfterValidator(_different)] | None
    ) = Field(
        None,
        description=(
            "features that models are trained on (docs/guide/models.md); null: those of models.preset (paper:\n"
            "[m3gnet]). These, with how many numbers each has for a site, or several joined as m3gnet_all+chgnet:\n"
            + "\n".join(f"{name}: {what}" for name, what in KNOWN.items())
        ),
    )
    m3gnet_weights: str | None = Field(
        None,
        description="folder of M3GNet-MP-2021.2.8-PES; null: matgl's cache, else a download, checked by SHA-256",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the graph networks run")
