"""Scores of a prediction against a reference, and how they are shown."""
