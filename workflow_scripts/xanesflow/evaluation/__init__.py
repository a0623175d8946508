"""Judging the models.

`predict` a part of the split · `predictions` the file of it · `metrics` what the figures mean · `evaluate` their table.
"""
