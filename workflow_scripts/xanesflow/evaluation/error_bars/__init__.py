"""Error bars of predicted spectra: calibrated on the validation part, and scored."""
