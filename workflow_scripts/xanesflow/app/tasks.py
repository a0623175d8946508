"""What the page's workers can do."""

KINDS = {
    "read_structure": "xanesflow.app.structure_work:read_structure",
    "search_structures": "xanesflow.app.structure_work:search_structures",
    "expect_time": "xanesflow.app.structure_work:expect_time",
    "compute_spectra": "xanesflow.app.structure_work:compute_spectra",
    "predict_spectra": "xanesflow.app.structure_work:predict_spectra",
    "read_scans": "xanesflow.app.measured_work:read_scans",
    "write_scans": "xanesflow.app.measured_work:write_scans",
    "match_scans": "xanesflow.app.measured_work:match_scans",
    "mix_scans": "xanesflow.app.measured_work:mix_scans",
    "interpret_scans": "xanesflow.app.measured_work:interpret_scans",
    "read_campaign": "xanesflow.app.campaign_work:read_campaign",
}
"""Functions `(work: Work) -> dict` by the name of what they do."""

HEAVY = ("xanesflow.app.structure_work", "xanesflow.app.measured_work")
"""Imported once, before any worker begins; a worker is a copy of the process that has them."""
