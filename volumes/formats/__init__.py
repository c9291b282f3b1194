"""Reading and writing NRRD and NIfTI, trusting no file."""
