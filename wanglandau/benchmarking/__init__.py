"""Measuring rates: what is measured, against what, in turn, and how it is told."""
