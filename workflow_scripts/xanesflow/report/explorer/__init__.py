"""The interactive part of the report: sites by their features, each with its spectra."""
