"""The cube: from the pair list to one HDF5 file, and reading it."""
