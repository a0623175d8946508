"""The section `measured` of config.yaml: which measured spectra `snakemake measured` compares with which structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from xanesflow.config.base import Count, ElementSymbol, Section, Theory, unique
from xanesflow.core.errors import XanesflowError
from xanesflow.core.files import list_files

Names = Annotated[list[str], Field(min_length=1), AfterValidator(unique)]


class MeasuredSection(Section):
    """Measured spectra and the structures that they may belong to; made if `files` is set."""

    files: str | Names | None = Field(
        None, description="measured spectra: a file, a folder of scans, or a list of both; null: there are none"
    )
    candidates: str | Names | None = Field(
        None,
        description=(
            "structures that they may belong to: examples, minerals, a file, a folder, an id or a name, or a list of\n"
            "these (docs/guide/matching.md)"
        ),
    )
    element: ElementSymbol | None = Field(
        None, description="the absorber, as Fe; null: as each file or its energies say"
    )
    theory: Theory | None = Field(
        None, description="level of theory that computes the candidates; null: the embedded engine"
    )
    contains: Annotated[list[ElementSymbol], AfterValidator(unique)] = Field(
        [], description="only candidates that hold all of these, as [Fe, O]"
    )
    max_atoms: Count | None = Field(None, description="only candidates with at most so many atoms in the cell")

    @model_validator(mode="after")
    def _there_is_something_to_compare_with(self) -> MeasuredSection:
        if self.files is not None and self.candidates is None:
            raise ValueError(
                "measured.files names spectra, but measured.candidates is null, so there is nothing to compare them "
                "with; name examples, minerals, or files and folders of structures"
            )
        return self

    @property
    def candidate_names(self) -> list[str]:
        """The candidates as a list."""
        return _as_list(self.candidates)

    def scans(self) -> list[str]:
        """All files of measured spectra, those in folders too.

        Raises:
            XanesflowError: the configuration names none, or one does not exist.
        """
        if self.files is None:
            raise XanesflowError("measured.files is not set; name files or folders of measured spectra.")
        try:
            return [str(path) for path in list_files(map(Path, _as_list(self.files)))]
        except XanesflowError as error:
            raise XanesflowError(f"measured.files: {error}") from None


def _as_list(given: str | list[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else given or []
