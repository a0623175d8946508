"""The search for the settings with which a network is best on the validation part."""
