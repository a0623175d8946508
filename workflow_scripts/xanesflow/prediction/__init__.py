"""Spectra of structures that nobody simulated, by trained models.

    structures ──► sites ──►       features ──►    models ──►        spectra, error bands, averages
    `input_structures`             `site_features` `trained_models`  `predictor`, `average`, `prediction`

`xanesflow.predict` is the whole of it in one call; a `predictor.Predictor` keeps models and featurizers for many.
"""
