"""How large a thing may be before it is taken for a slip, or for an attack."""

# Four whole-body CTs of 512 x 512 x 2048 voxels. A header that promises more is
# refused before memory is asked for; --max-voxels says otherwise.
MAX_VOXELS = 2**31
MAX_LABEL = 65535
# The squares of a million such values still have a sum in float32.
MAX_INTENSITY = 1e15
# In mm: nothing that was scanned lies, or is, beyond a thousand kilometres, and no
# voxel is smaller than a nanometre or larger than a kilometre. Any two such grids laid
# over each other have sides that an int64 can count.
MAX_LENGTH = 1e9
SPACING_RANGE = (1e-6, 1e6)
