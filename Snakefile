# xanesflow: from crystal structures to K-edge XANES datasets and the models trained on them.
#
#   snakemake                          makes everything, up to results/report/report.html
#   snakemake spectra                  stops after one stage: structures inputs simulations spectra features dataset
#                                      models evaluation report. Seven more targets lead elsewhere: package, the
#                                      dataset for a repository; predict, spectra of a folder of other structures;
#                                      search, the best settings of the models; convergence, the options at which a
#                                      simulation code is converged; codes, the spectra of several codes compared;
#                                      interpretation, what spectra say about their sites; and measured, which
#                                      structures measured spectra belong to
#   snakemake results/spectra/Cu_FEFF.h5   makes one file and what it needs
#
# The stages follow each other from top to bottom, and each reads only those above it; the cheaper runs under delta models
# have rules of their own, which lead from sites to features. All paths below results/ start from the working directory
# (--directory). The configuration is config.yaml in this folder, changed by --configfile and --config.
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.utils import min_version, update_config

min_version("9.0")

DEFAULTS = f"{workflow.current_basedir}/config.yaml"


configfile: DEFAULTS


if Path(workflow.basedir).resolve() != Path(str(workflow.current_basedir)).resolve():
    # Another Snakefile uses this one as a module and gives it a `config`, so Snakemake skips the line above.
    given, config = config, load_configfile(DEFAULTS)
    update_config(config, given)


report: "report/workflow.rst"


rule report:  # stands first, so that `snakemake` without a target makes it
    input:
        "results/report/report.html",


include: "rules/common.smk"


if CONFIG.dataset.from_files:

    include: "rules/import.smk"

else:

    include: "rules/structures.smk"
    include: "rules/inputs.smk"
    include: "rules/simulations.smk"
    include: "rules/convergence.smk"
    include: "rules/spectra.smk"
    include: "rules/features.smk"
    include: "rules/cheap_runs.smk"


include: "rules/dataset.smk"
include: "rules/models.smk"
include: "rules/evaluation.smk"
include: "rules/interpretation.smk"
include: "rules/predict.smk"
include: "rules/measured.smk"
include: "rules/report.smk"


onstart:
    hold_results()
