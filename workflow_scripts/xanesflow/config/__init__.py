"""The configuration: one file a section, the checks between sections, and all that a configuration implies."""
