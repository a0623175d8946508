"""Spectra of structures that nobody simulated, by trained models.

    structures ──► sites ──►       features ──►    models ──►        spectra, error bands, averages
    `input_structures`             `site_features` `trained_models`  `predictor`, `average`, `prediction`

`xanesflow.predict` does all of this in one call. For many calls, make a `predictor.Predictor`, which loads models and
featurizers once.
"""
