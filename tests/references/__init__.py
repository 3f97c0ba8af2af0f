"""Exact references of the sampler tests, made apart from the package by formulas and integer arithmetic.

Tables count unlike nearest-neighbour bonds, ``dict[unlike_bonds, number_of_configurations]``, in Python integers.
Energies of the references are in units of the coupling J and temperatures in J / k_B, as in the literature; oracles
work in Ry, and :mod:`references.scale` holds the one factor between.
"""
