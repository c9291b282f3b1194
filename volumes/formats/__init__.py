"""Reading NRRD, NIfTI, MetaImage and DICOM, and writing, trusting no file."""
