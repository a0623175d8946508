# xanesflow: from crystal structures to K-edge XANES datasets and the models trained on them.
#
#   snakemake                          everything, up to results/report/report.html
#   snakemake spectra                  up to one stage: structures inputs simulations spectra features dataset
#                                      models evaluation report; and package, the dataset for a repository; and
#                                      predict, spectra of a folder of other structures
#   snakemake results/spectra/Cu_FEFF.h5   just what one file needs
#
# Stages follow each other from top to bottom; a stage reads only the ones above it. All paths below results/ are of
# the working directory (--directory); the configuration is config.yaml beside this file, with what --configfile and
# --config change.
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.utils import min_version, update_config

min_version("9.0")

DEFAULTS = f"{workflow.current_basedir}/config.yaml"


configfile: DEFAULTS


if Path(workflow.basedir).resolve() != Path(str(workflow.current_basedir)).resolve():
    # A module (xanesflow init): Snakemake skips the line above where the module is given a `config`.
    given, config = config, load_configfile(DEFAULTS)
    update_config(config, given)


report: "report/workflow.rst"


rule report:  # the first rule is what `snakemake` alone makes
    input:
        "results/report/report.html",


include: "rules/common.smk"


if CONFIG.dataset.from_files:

    include: "rules/import.smk"

else:

    include: "rules/structures.smk"
    include: "rules/inputs.smk"
    include: "rules/simulations.smk"
    include: "rules/spectra.smk"
    include: "rules/features.smk"
    include: "rules/cheap_runs.smk"


include: "rules/dataset.smk"
include: "rules/models.smk"
include: "rules/evaluation.smk"
include: "rules/predict.smk"
include: "rules/report.smk"


onstart:
    hold_working_directory()
