"""xanesflow: from crystal structures to K-edge XANES datasets and the models trained on them.

One package per stage of the workflow, named as the stage, each importing only from the stages left of it::

    structures -> simulations -> spectra -> features -> dataset -> models -> evaluation -> report

Every function here can be called without Snakemake; the scripts beside this package are what the rules call.
"""

__version__ = "0.1.0"
