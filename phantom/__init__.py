"""The synthetic spine: made-up scans with exact label maps."""
