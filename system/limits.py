"""Limits beyond which a value is taken for a mistake or an attack."""

# Four whole-body CTs of 512 x 512 x 2048 voxels. A header with more is refused before
# memory is allocated; --max-voxels changes the limit.
MAX_VOXELS = 2**31
MAX_LABEL = 65535
# The sum of a million squares of such values still fits float32.
MAX_INTENSITY = 1e15
# In mm: coordinates and sides up to a thousand kilometres, voxels from a nanometre to a
# kilometre. The sides of one such grid in voxels of another fit int64.
MAX_LENGTH = 1e9
SPACING_RANGE = (1e-6, 1e6)
