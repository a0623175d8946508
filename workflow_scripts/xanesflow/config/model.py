"""The whole configuration, config.yaml, with the checks within and between its sections.

`xanesflow.config.load` reads it; `xanesflow.config.campaign` works out what it implies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from xanesflow.config import checks
from xanesflow.config.base import Section, SubsetName, not_bool, unique
from xanesflow.config.convergence import ConvergenceSection
from xanesflow.config.curation import CurationSection
from xanesflow.config.dataset import DatasetSection
from xanesflow.config.evaluation import EvaluationSection
from xanesflow.config.features import FeaturesSection
from xanesflow.config.inputs import InputsSection
from xanesflow.config.interpretation import InterpretationSection
from xanesflow.config.measured import MeasuredSection
from xanesflow.config.models import ModelsSection
from xanesflow.config.predict import PredictSection
from xanesflow.config.presets import fill_in
from xanesflow.config.simulations import SimulationsSection
from xanesflow.config.splits import SplitsSection
from xanesflow.config.structures import StructuresSection
from xanesflow.core.sites import ELEMENTS

Chunks = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=4096)]  # an import holds them all open


class Config(Section):
    """The whole configuration, config.yaml."""

    campaign: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = Field(
        "3dtm_xanes_ml2024", description="name of the campaign; the dataset is results/dataset/<campaign>.h5"
    )
    subsets: Annotated[list[SubsetName], Field(min_length=1), AfterValidator(unique)] = Field(
        [f"{element}_FEFF" for element in ELEMENTS],  # the paper's choice, so the theory is named here
        description=(
            "element and level of theory of each subset: Cu_FEFF; Cu_FEFFQ, quick FEFF at small radii; Cu_FEFF8L,\n"
            "which the embedded engine computes; Ti_VASP; Ti_XSPECTRA. Of OCEAN, EXCITING and FDMNES, inputs are\n"
            "written and finished runs imported"
        ),
    )
    chunks: Chunks | dict[SubsetName, Chunks] = Field(
        32,
        description="number of jobs that simulate a subset: one for all subsets, or {Cu_FEFF: 32, ...}",
    )
    structures: StructuresSection = Field(StructuresSection(), description="crystal structures and their sites")
    inputs: InputsSection = Field(
        InputsSection(), description="input files of the simulation codes, for `snakemake inputs`"
    )
    simulations: SimulationsSection = Field(SimulationsSection(), description="simulated spectra")
    curation: CurationSection = Field(CurationSection(), description="from raw runs to spectra on one grid")
    convergence: ConvergenceSection = Field(
        ConvergenceSection(), description="options of a code tried on a few sites, for `snakemake convergence`"
    )
    features: FeaturesSection = Field(FeaturesSection(), description="how models see a structure")
    splits: SplitsSection = Field(SplitsSection(), description="training, validation and test part, by material")
    dataset: DatasetSection = Field(DatasetSection(), description="source and description of the dataset")
    models: ModelsSection = Field(ModelsSection(), description="neural networks from features to spectra")
    evaluation: EvaluationSection = Field(EvaluationSection(), description="how the models are evaluated")
    interpretation: InterpretationSection = Field(
        InterpretationSection(), description="from spectra back to their sites, for `snakemake interpretation`"
    )
    predict: PredictSection = Field(
        PredictSection(), description="spectra of other structures, for `snakemake predict`"
    )
    measured: MeasuredSection = Field(
        MeasuredSection(), description="which structures measured spectra belong to, for `snakemake measured`"
    )

    @model_validator(mode="before")
    @classmethod
    def _the_preset_fills_in(cls, values: Any) -> Any:
        return fill_in(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _sections_go_together(self) -> Config:
        subsets, models = self.subsets, self.models
        checks.check_subsets(
            subsets,
            self.chunks,
            inputs=self.inputs,
            simulations=self.simulations,
            curation=self.curation,
            dataset=self.dataset,
        )
        checks.check_ids(subsets, self.structures)
        checks.check_dataset_files(subsets, self.simulations, self.features, self.dataset)
        checks.check_sources(subsets, self.structures, self.simulations, self.dataset)
        checks.check_convergence(self.convergence, self.dataset)
        checks.check_tuned(subsets, models)
        checks.check_delta(subsets, self.simulations, models, self.dataset)
        checks.check_planned_sites(subsets, self.simulations, models, self.dataset)
        checks.check_own_settings(subsets, models)
        return self

    def as_json(self) -> str:
        """The whole configuration as one line of JSON, for the outputs to record."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)
