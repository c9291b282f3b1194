"""The chain of vertebrae in a label map."""
