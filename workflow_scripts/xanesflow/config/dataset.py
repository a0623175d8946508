"""The section `dataset` of config.yaml: where the dataset's data come from, and how it describes itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xanesflow.config.base import Section, SubsetName


class DatasetSection(Section):
    """Where the dataset's data come from, and how it describes itself."""

    source: Literal["workflow", "features_file"] = Field(
        "workflow",
        description=(
            "workflow: structures, simulations and features; features_file: features and spectra that you computed\n"
            "elsewhere, taken unchanged from `files`, without structures, simulations and curation"
        ),
    )
    files: str | dict[SubsetName, str] | None = Field(
        None,
        description=(
            "for source features_file: one file for all subsets (a dataset of xanesflow, .h5), a path with {subset}\n"
            "in it (an .npz for each), or {Cu_FEFF: path, ...}; relative to the working directory\n"
            "(docs/guide/features-from-files.md)"
        ),
    )
    creator: str = Field("xanesflow", description="who made the dataset")
    licence: str = Field("CC-BY-4.0", description="licence of the dataset (SPDX); Materials Project: CC-BY-4.0")
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(
        "1.0.0", description="version of this release, for `snakemake package`"
    )
    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = Field(
        None, description="where others find the release, such as https://doi.org/...; null: not known yet"
    )

    @property
    def from_files(self) -> bool:
        """Whether features and spectra come from files and nothing is simulated."""
        return self.source == "features_file"
