"""XSpectra of Quantum ESPRESSO: a core hole in a supercell. Inputs are written; runs are neither made nor read yet."""
