"""Runs: training, testing and comparing networks, and the run folder."""
