"""Error bars of predicted spectra: calibrate them on the validation part, and score them."""
