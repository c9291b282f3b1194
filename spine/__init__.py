"""The vertebrae of a label map: found, named, measured and drawn."""
