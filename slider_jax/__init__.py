"""Slide the expression of a face."""

__version__ = "0.1.0"
