"""The embedded engine, theory FEFF8L: it computes the K-edge XANES of a site in seconds and needs nothing but pip.

    from xanesflow.codes.feff8l import EngineSettings, compute_xanes
    result = compute_xanes(structure, site_index=0)       # pymatgen Structure
    result.energy_ev, result.cross_section                # absolute eV, bohr²

The registry names `options`, `write_inputs`, `engine` and `read_run`. `xanes` tries the settings of the ladder in
`options`: it runs the `programs` of FEFF 8 Lite on the inputs of `write_inputs`, reads their outputs (`read_outputs`,
`read_pad`), and passes them to `spectrum`, which solves the multiple `scattering` (`harmonics`, `symmetry`) and
integrates along the `contour`. `field` and `fermi_level` correct the Fermi level. `job` runs one site for the workflow.
"""

from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.feff8l.xanes import XanesResult, compute_xanes
from xanesflow.core.errors import NoSpectrumError

__all__ = ["EngineSettings", "NoSpectrumError", "XanesResult", "compute_xanes"]
