"""Search for the settings with which a network does best on the validation part."""
