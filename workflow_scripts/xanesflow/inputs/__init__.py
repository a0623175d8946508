"""Stage 2: input files of the simulation codes, written by Lightshow. So far only the bridge that lets it import."""
