"""XSpectra of Quantum ESPRESSO: a core hole in a supercell. This version writes inputs; it cannot run them yet."""
