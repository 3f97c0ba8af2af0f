"""Flat-histogram walks on an accelerator: walkers, weights, histogram and random numbers stay there."""
