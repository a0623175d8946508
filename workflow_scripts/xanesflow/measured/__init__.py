"""Measured spectra: reads files from beamlines and normalises what they hold."""

from xanesflow.measured.measured_spectrum import MeasuredSpectrum, Normalisation, Reading
from xanesflow.measured.merge import merge_spectra
from xanesflow.measured.read_measured import read_measured

__all__ = ["MeasuredSpectrum", "Normalisation", "Reading", "merge_spectra", "read_measured"]
