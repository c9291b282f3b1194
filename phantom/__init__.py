"""Synthetic scans of the lumbar spine with label maps."""
