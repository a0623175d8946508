"""Judging the models.

`baselines` what simple models predict, to compare with.
`predict` a part of the split · `predictions` the file of it · `metrics` what the figures mean · `evaluate` their table.
"""
