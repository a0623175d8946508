"""What every room uses: sites and subsets, the energy grid, units, reasons, errors, files, tables, text, figures."""
