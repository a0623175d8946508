"""Structures from Materials Project: asked once, kept with a manifest."""
