"""Measured spectra: reads files from beamlines and normalises what they hold."""

from xanesflow.measured.merge import merge_spectra
from xanesflow.measured.read import read_measured
from xanesflow.measured.spectrum import MeasuredSpectrum, Normalisation, Reading

__all__ = ["MeasuredSpectrum", "Normalisation", "Reading", "merge_spectra", "read_measured"]
