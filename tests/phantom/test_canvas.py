import numpy as np

from phantom.canvas import coverage, footprint


def test_coverage_is_the_share_of_a_voxel_behind_an_edge():
    # An edge at index 1.25 along the first axis, in voxels 4 mm thick: voxel 1
    # ends at 1.5, so three quarters of it lie inside.
    shape = np.float32(4) * (np.arange(4, dtype=np.float32) - 1.25)
    shape = np.broadcast_to(shape[:, None, None], (4, 2, 3))

    share = coverage(shape, footprint(shape))

    np.testing.assert_allclose(share[:, 0, 0], (1, 0.75, 0, 0), atol=1e-6)
