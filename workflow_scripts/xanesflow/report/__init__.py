"""The report: figures of curation and evaluation, and one HTML page that needs no network."""
