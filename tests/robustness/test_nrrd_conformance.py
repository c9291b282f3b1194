"""NRRD files that other people's programs wrote, against what each should give.

The files lie outside the repository; without them these tests are skipped.
"""

import numpy as np
import pytest
import SimpleITK
from support.places import SHARED

from system.errors import DataError
from volumes.formats.files import read_volume

FOLDER = SHARED / "nrrd_conformance"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the files of other programs are not here"
)

BALLS = [
    "BallBinary30x30x30.nrrd",
    "BallBinary30x30x30_gz.nrrd",
    "BallBinary30x30x30_gz_lineskip.nrrd",
    "BallBinary30x30x30.nhdr",
    "BallBinary30x30x30_byteskip_minus_one.nhdr",
    "BallBinary30x30x30_bz2.nrrd",
    "BallBinary30x30x30_byteskip_minus_one_nifti.nhdr",
    "BallBinary30x30x30_gz_byteskip_minus_one.nrrd",
]

UNPLACED = ("no space:", "lengths in microns")
# File, and a word of each note on what had to be assumed.
READ = {
    "nat/LHMask.nrrd": UNPLACED,
    "nat/LHMask.nhdr": UNPLACED,
    "nat/FCWB_2um_mask.nrrd": (*UNPLACED, "no space origin"),
    "nat/JFRC2-444_mask.nrrd": (*UNPLACED, "no space origin"),
    "nat/FruMARCM-F000002_seg001_03-acrop.nrrd": ("no space:",),
    "nat/VerySmallLabelField.nrrd": ("no space:",),
    "nat/dataforstats.nrrd": (*UNPLACED, "no space origin"),
    "NRRD.jl/fiji-stack-microns-16bit.nrrd": (*UNPLACED, "no space origin"),
    "NRRD.jl/fiji-stack-pixels-16bit.nrrd": (
        "no space:",
        "lengths in pixel",
        "no space origin",
    ),
    "NRRD.jl/small.nrrd": (),
    "NRRD.jl/smallgz.nrrd": (),
    "NRRD.jl/units.nhdr": (),
    "FNNDSC/adi_slice.nrrd": (),
    "FNNDSC/avf_float_32.nrrd": (),
    "slicer_seg/CTChest4.nrrd": (),
    "slicer_seg/Segmentation.seg.nrrd": (),
    "slicer_seg/practica1_knee.seg.nrrd": (),
    "nrrd-js/example1.nrrd": (
        "no space:",
        "no spacing",
        "no space directions",
        "no space origin",
    ),
    **{f"pynrrd/{name}": () for name in BALLS},
}

NOT_SCALAR_3D = {
    "slicer_seg/SegmentationOverlapping.seg.nrrd": "2 layers .*overlapping segments",
    "Slicer/deform2x2x2_ras.nrrd": "4-D .*kinds vector",
    "NRRD.jl/eltype_rgb_u8.nrrd": "3-D .*kinds RGB-color",
    "nat/LHMask_sum.nrrd": "2-D",
    "NRRD.jl/bswap.nrrd": "2-D",
    "NRRD.jl/eltype_gray_u12.nrrd": "2-D",
    "NRRD.jl/eltype_gray_u12_hex.nrrd": "2-D",
    "NRRD.jl/eltype_gray_u16.nrrd": "2-D",
    "NRRD.jl/eltype_gray_u8.nrrd": "2-D",
    "NRRD.jl/eltype_u8.nrrd": "2-D",
    "NRRD.jl/eltype_uint8.nrrd": "2-D",
    "pynrrd/test1d_ascii.nrrd": "1-D",
    "pynrrd/test2d_ascii.nrrd": "2-D",
    "pynrrd/test_customFields.nrrd": "1-D",
    "nrrd-js/example2.nrrd": "2-D",
    "nrrd-js/example3.nrrd": "2-D",
    "NRRD.jl/small_time.nrrd": "4-D .*time",
    "nrrd-js/example4.nrrd": "4-D",
    "NRRD.jl/test_helix.nrrd": "4-D .*3D-masked-symmetric-matrix",
}

MISSING = (
    "test2d_spu_spacing_labels",
    "test2dfloat",
    "test2drgb",
    "test2drgb_last",
    "test2drgb_spu_sd",
    "test2drgb_spu_spacing",
    "test2drgb_spu_spacing_labels",
    "test2duchar",
    "test2dushort",
    "test3d_time",
    "test3d_time_labels",
    "test3d_time_labels_units",
    "test3d_time_labels_units_s",
    "test3d_units_range_axes",
    "test3dlist_origin",
)
NAMES_A_FIELD = {
    "nat/badtype.nhdr": "field 'type' .*'int128'",
    "nat/badenc.nhdr": "field 'encoding' .*'bzip2'",
    "pynrrd/BallBinary30x30x30_byteskip_minus_five.nhdr": "field 'byte skip' .*'-5'",
    "pynrrd/BallBinary30x30x30_nifti.nhdr": r"'sizes' .*54000 bytes.*: 54352 bytes",
    # One voxel in four axes, three of which are kept, and a byte too many.
    "pynrrd/test_simple4d_raw.nrrd": "'sizes' .*8 bytes.*: 9 bytes",
    "nat/datafile_list.nhdr": "field 'data file' .*'LIST'",
    "nat/datafile_listslab.nhdr": "field 'data file' .*'LIST 3'",
    "Slicer/multishell-DWI-451dir.nhdr": "field 'data file' .*exists",
    **{f"NRRD.jl/{name}.nhdr": "field 'data file' .*exists" for name in MISSING},
}


def test_no_file_is_left_out():
    there = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.suffix in (".nrrd", ".nhdr")
    }

    assert there == {*READ, *NOT_SCALAR_3D, *NAMES_A_FIELD}


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read_with_exact_voxels_and_grid(name):
    volume = read_volume(FOLDER / name)

    assert len(volume.notes) == len(READ[name])
    for note, word in zip(volume.notes, READ[name], strict=True):
        assert word in note
    assert volume.grid.shape == volume.array.shape
    if name.endswith("_bz2.nrrd"):  # SimpleITK knows no bzip2
        return
    image = SimpleITK.ReadImage(str(FOLDER / name))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, volume.array)
    last = [side - 1 for side in volume.array.shape]
    left, posterior, superior = image.TransformIndexToPhysicalPoint(last)
    np.testing.assert_allclose(
        volume.grid.to_world(last), (-left, -posterior, superior), atol=1e-3
    )


@pytest.mark.parametrize("name", BALLS)
def test_every_file_of_the_ball_holds_the_same_ball(name):
    ball = read_volume(FOLDER / "pynrrd" / BALLS[0])

    volume = read_volume(FOLDER / "pynrrd" / name)

    np.testing.assert_array_equal(volume.array, ball.array)
    np.testing.assert_array_equal(volume.grid.affine, ball.grid.affine)
    assert volume.array.any()


@pytest.mark.parametrize("name", NOT_SCALAR_3D)
def test_what_is_no_scalar_volume_is_refused_as_what_it_is(name):
    with pytest.raises(DataError, match=NOT_SCALAR_3D[name]):
        read_volume(FOLDER / name)


@pytest.mark.parametrize("name", NAMES_A_FIELD)
def test_what_cannot_be_read_is_refused_with_its_field(name):
    with pytest.raises(DataError, match=NAMES_A_FIELD[name]):
        read_volume(FOLDER / name)


def test_the_segments_of_3d_slicer_are_read():
    volume = read_volume(FOLDER / "slicer_seg" / "Segmentation.seg.nrrd")

    assert [segment.value for segment in volume.segments] == [1, 2, 3, 4, 5, 6, 7]
    assert volume.segments[3].name == "lumbar vertebral column"
    assert volume.segments[3].color == (0.831373, 0.737255, 0.4)
