"""What all rooms share: sites and subsets, the energy grid, units, reasons, errors, files, tables, text, figures."""
