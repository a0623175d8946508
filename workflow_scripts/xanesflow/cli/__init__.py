"""The command line, `xanesflow ...`.

`commands` and the modules `*_commands` declare the options, and only these need typer. Each command imports what it
needs when you call it. `xanesflow xanes`, for example, finds structure and sites in `structures.choose_site`, computes
them in `spectra.compute_sites`, writes the results in `spectra.write_xanes`, and `compute_spectra` does all of it in
turn.
"""
