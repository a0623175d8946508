"""Structures from Materials Project: downloaded once and stored with a manifest."""
