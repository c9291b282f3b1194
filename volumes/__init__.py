"""Scans in space: grids, resampling, filters, normalisation, classes, pictures."""
