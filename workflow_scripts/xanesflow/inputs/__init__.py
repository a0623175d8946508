"""Stage 2: input files of the simulation codes, written by Lightshow.

Each room of `codes` writes the inputs of its code. `write_chunk` packs them into a zip for each chunk, and `unpack`
unpacks such zips into plain folders.
"""
