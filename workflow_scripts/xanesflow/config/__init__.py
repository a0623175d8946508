"""The configuration: one file for each section, the checks between sections, and all that a configuration implies."""
