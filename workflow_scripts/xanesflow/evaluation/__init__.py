"""Judging the models: `predict` a part of the split, `metrics` their definitions, `evaluate` the table of figures."""
