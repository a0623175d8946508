"""The section `features` of config.yaml: how models see a structure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from xanesflow.config.base import Section, unique
from xanesflow.core.errors import XanesflowError
from xanesflow.core.feature_names import parse_features


def _feature_names(name: str) -> str:
    try:
        return "+".join(parse_features(name, any_name=True))  # `checks` looks for unknown names
    except XanesflowError as error:
        raise ValueError(str(error)) from None


FeatureName = Annotated[str, AfterValidator(_feature_names)]


class FeaturesSection(Section):
    """How models see a structure."""

    models: Annotated[list[FeatureName], Field(min_length=1), AfterValidator(unique)] | None = Field(
        None,
        description=(
            "features that models are trained on; null: those of models.preset (paper: [m3gnet]).\n"
            "m3gnet: last block, 64 numbers; m3gnet_all: embedding and three blocks, 256; chgnet: atom features and\n"
            "magnetic moment, 65; radial: histograms of distances, 30; acsf and soap: descriptors, of which a model\n"
            "sees principal components; or several joined as m3gnet_all+chgnet"
        ),
    )
    m3gnet_weights: str | None = Field(
        None,
        description="folder of M3GNet-MP-2021.2.8-PES; null: matgl's cache, else a download, checked by SHA-256",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where the graph networks run")
