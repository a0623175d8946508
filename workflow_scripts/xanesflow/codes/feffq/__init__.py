"""Quick FEFF, theory FEFFQ: the FEFF 10 of pip at small radii, in seconds to a minute; the paper's take minutes.

The field, the screened core hole and the phase shifts are FEFF's, the multiple scattering is our own solver's
(`codes.feff.scatter`). `options` has two settings, `fast` and `near`; `write_inputs` chooses radii by the atoms around
a site. All else is the room `codes.feff`: its engine runs and corrects, its reader reads.
"""
