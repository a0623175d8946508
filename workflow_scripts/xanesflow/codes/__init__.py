"""Simulation codes, one room each, with the same four files: options, write_inputs, engine, read_run.

`registry` has one record for each level of theory; everything else asks it and names no theory.
"""
