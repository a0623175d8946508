"""The files of a run that are kept, for each code that has runs of its own: what later stages and a reviewer need."""

from __future__ import annotations

RUN_FILES = ("feff.inp", "feff.out", "xmu.dat")
"""Files of a run of FEFF or of the embedded engine that later stages and a reviewer need."""

FEFF_LOGS = ("log.dat", *(f"log{number}.dat" for number in range(1, 7)))
"""Logs that FEFF 9 and 10 write themselves: of rdinp, pot, xsph, fms and mkgtr, path, genfmt and ff2x. They are read
if they exist."""

VASP_FILES = ("INCAR", "KPOINTS", "POSCAR", "POTCAR.spec", "OSZICAR", "OUTCAR", "vasprun.xml")
"""Files of a step of VASP that later stages and a reviewer need."""

XSPECTRA_FILES = (
    *("gs.in", "gs.out", "es.in", "es.out", "lanczos.json", "result.json"),
    *(f"dipole[1-9]/xanes.{end}" for end in ("in", "out", "dat")),
)
"""Files of the ground state and of a site's run of XSpectra that later stages and a reviewer need."""

FEFF_REFERENCE = (
    "Cite FEFF with these spectra: FEFF 10 as J. J. Kas, F. D. Vila, C. D. Pemmaraju, T. S. Tan and J. J. Rehr, "
    "J. Synchrotron Rad. 28, 1801 (2021), FEFF 9 as J. J. Rehr, J. J. Kas, F. D. Vila, M. P. Prange and K. Jorissen, "
    "Phys. Chem. Chem. Phys. 12, 5503 (2010). FEFF 10.0 is copyrighted by the FEFF Project, University of Washington, "
    "and SLAC National Accelerator Laboratory (2020), and open source under its own licence."
)
"""How FEFF wants to be cited."""
