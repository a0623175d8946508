"""The embedded engine, theory FEFF8L: K-edge XANES of a site in seconds, with pip alone.

    from xanesflow.codes.feff8l import EngineSettings, compute_xanes
    result = compute_xanes(structure, site_index=0)       # pymatgen Structure
    result.energy_ev, result.cross_section                # absolute eV, bohr²

`options`, `write_inputs`, `engine` and `read_run` are what the registry names. `xanes` climbs the ladder of `options`,
runs the `programs` of FEFF 8 Lite on what `write_inputs` wrote, reads their outputs (`read_outputs`, `read_pad`), and
hands them to `spectrum`: multiple `scattering` (`harmonics`, `symmetry`), then the `contour`. `field` and `fermi_level`
correct the Fermi level; `job` is the form in which the workflow runs a site.
"""

from xanesflow.codes.feff8l.options import EngineSettings
from xanesflow.codes.feff8l.xanes import XanesResult, compute_xanes
from xanesflow.core.errors import NoSpectrumError

__all__ = ["EngineSettings", "NoSpectrumError", "XanesResult", "compute_xanes"]
