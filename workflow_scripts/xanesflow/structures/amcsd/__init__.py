"""Measured structures of the American Mineralogist Crystal Structure Database, which the package larixite brings along.

The database is opened read-only and nothing is downloaded. To use it, cite R. T. Downs and M. Hall-Wallace, American
Mineralogist 88, 247 (2003), and the paper of each structure.
"""
