"""Stage 2: input files of the simulation codes, written by Lightshow.

`codes` has what is written for a level of theory (`feff`, `vasp`, `others`), `write_inputs` packs a chunk, and `unpack`
lays chunks out as folders; `feff_inp` compares two feff.inp.
"""
