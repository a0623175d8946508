"""Spectra of structures that nobody simulated, by trained models.

    structures ──► sites ──► features ──► models ──► spectra, error bands, averages
    `requested`              `features`   `trained`  `predictor`, `average`, `result`

`xanesflow.predict` is the whole of it in one call; a `predictor.Predictor` keeps models and featurizers for many.
"""
