"""The figures of a subset. They stand apart from the code that draws them, so that the rules read them quickly."""

FIGURES = ("truth", "reliability", "robustness", "classes", "axes", "axis_scatter", "axis_correlations")
"""In the order of the report."""
