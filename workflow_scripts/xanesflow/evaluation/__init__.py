"""Judging the models.

`predict` a part of the split · `baselines` the same by simple models · `predictions` the file of it · `metrics` what
the figures mean · `evaluate` their table.
"""
