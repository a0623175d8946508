"""Stage 8: how good the models are.

`predict_spectra` predicts a part of the split with a model, `predict_simple_models` with a simple model to compare
with; both write a `predictions_file`. `evaluate` writes the tables: the figures (`metrics`), their intervals
(`intervals`), the tests between models (`significance`) and the paper's values (`table_one`). `error_bars` calibrates
error bars on the validation part and scores them.
"""
