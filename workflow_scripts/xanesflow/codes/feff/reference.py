"""How FEFF wants to be cited."""

REFERENCE = (
    "Cite FEFF with these spectra: FEFF 10 as J. J. Kas, F. D. Vila, C. D. Pemmaraju, T. S. Tan and J. J. Rehr, "
    "J. Synchrotron Rad. 28, 1801 (2021), FEFF 9 as J. J. Rehr, J. J. Kas, F. D. Vila, M. P. Prange and K. Jorissen, "
    "Phys. Chem. Chem. Phys. 12, 5503 (2010). FEFF 10.0 is copyrighted by the FEFF Project, University of Washington, "
    "and SLAC National Accelerator Laboratory (2020), and open source under its own licence."
)
