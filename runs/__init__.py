"""The run folder: what a training leaves behind, network by network."""
