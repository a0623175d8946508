"""Compares a measured spectrum with candidates and ranks them, and takes mixtures and series of scans apart."""
