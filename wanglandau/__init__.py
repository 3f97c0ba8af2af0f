"""Wang-Landau and Metropolis sampling of binary alloys on first-principles energies."""

__version__ = "0.1.0"
