"""Judging the models.

`predict_simple_models` what simple models predict, to compare with.
`predict` a part of the split · `predictions` the file of it · `metrics` what the figures mean · `evaluate` their table.
`calibrate` the error bars: `error_scale` and `distance` say where errors are large, `calibration` how many σ a band
takes, `calibration_file` keeps both, `uncertainty` says how good they are.
"""
