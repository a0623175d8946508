"""Features from runs of a cheaper level of theory, for delta models."""
