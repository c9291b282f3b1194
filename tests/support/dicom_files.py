"""DICOM files for tests: a lopsided, oblique CT of 4 x 3 x 5 voxels."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

needs_pydicom = pytest.mark.skipif(
    importlib.util.find_spec("pydicom") is None, reason="pydicom is not installed"
)

SHAPE = (4, 3, 5)  # columns, rows, slices
# HU of each voxel: no two alike, and outside what 8 bits hold.
VOXELS = np.arange(60, dtype=np.int16).reshape(SHAPE, order="F") * 37 - 1000
SPACING = (0.5, 0.8, 2.5)  # between columns, rows, slices
ORIGIN = np.array([-30.25, 12.5, 411.0])  # LPS
DIRECTION = Rotation.from_euler("xyz", [8, -13, 21], degrees=True).as_matrix()
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
SERIES = "1.2.826.0.1.3680043.8.498.1"
INTERCEPT = -1024


def position(index, direction=DIRECTION):
    """LPS mm of the first pixel of a slice."""
    return ORIGIN + direction[:, 2] * SPACING[2] * index


def decimals(values):
    """Round to what a decimal string of 16 letters holds."""
    return [f"{value:.10f}"[:16] for value in values]


def ct_slice(index, direction=DIRECTION, **changes):
    """Build a slice of the CT; a change to None removes a field."""
    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian

    stored = (VOXELS[:, :, index % SHAPE[2]].T - INTERCEPT).astype("<u2")
    fields = {
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{SERIES}.{index + 1}",
        "SeriesInstanceUID": SERIES,
        "FrameOfReferenceUID": f"{SERIES}.99",
        "Modality": "CT",
        "SeriesNumber": 4,
        "InstanceNumber": index + 1,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": decimals(position(index, direction)),
        "ImageOrientationPatient": decimals(direction[:, :2].T.ravel()),
        "PixelSpacing": [SPACING[1], SPACING[0]],
        "SliceThickness": SPACING[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": SHAPE[1],
        "Columns": SHAPE[0],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "RescaleIntercept": INTERCEPT,
        "RescaleSlope": 1,
        "PixelData": stored.tobytes(),
        **changes,
    }
    dataset = pydicom.Dataset()
    for keyword, value in fields.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def stored_slices(stored, dtype="<u2", **changes):
    """The CT with other stored values, shape (I, J, K), without rescaling."""
    changes = {"RescaleSlope": 1, "RescaleIntercept": 0, **changes}
    changes |= {"Columns": stored.shape[0], "Rows": stored.shape[1]}
    changes |= {"Columns": stored.shape[0], "Rows": stored.shape[1]}
    return [
        ct_slice(
            index, PixelData=stored[:, :, index].T.astype(dtype).tobytes(), **changes
        )
        for index in range(SHAPE[2])
    ]


def save(dataset, path):
    """Write a dataset in its transfer syntax, in the DICOM file format."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def ct_slices(**changes):
    """Build the five slices of the CT."""
    return [ct_slice(index, **changes) for index in range(SHAPE[2])]


def write_series(folder: Path, slices=None) -> Path:
    """Write slices into a folder, under names that do not follow their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(ct_slices() if slices is None else slices):
        save(dataset, folder / f"{(number * 7 + 3) % 11:02d}.dcm")
    return folder


def item(**fields):
    """Build a sequence of one item."""
    import pydicom

    dataset = pydicom.Dataset()
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    return pydicom.Sequence([dataset])


def enhanced_ct(order=range(SHAPE[2]), **changes):
    """Build one file with the CT's slices as frames, in any order."""
    import pydicom

    frames = []
    for number in order:
        frame = pydicom.Dataset()
        place = decimals(position(number))
        frame.PlanePositionSequence = item(ImagePositionPatient=place)
        frame.FrameContentSequence = item(StackID="1", InStackPositionNumber=number + 1)
        frames.append(frame)
    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence = item(
        ImageOrientationPatient=decimals(DIRECTION[:, :2].T.ravel())
    )
    shared.PixelMeasuresSequence = item(
        PixelSpacing=[SPACING[1], SPACING[0]], SliceThickness=SPACING[2]
    )
    shared.PixelValueTransformationSequence = item(
        RescaleIntercept=INTERCEPT, RescaleSlope=1, RescaleType="HU"
    )
    fields = {
        "SOPClassUID": ENHANCED_CT,
        "NumberOfFrames": len(frames),
        "PixelData": b"".join(ct_slice(number).PixelData for number in order),
        "SharedFunctionalGroupsSequence": pydicom.Sequence([shared]),
        "PerFrameFunctionalGroupsSequence": pydicom.Sequence(frames),
        "ImagePositionPatient": None,
        "ImageOrientationPatient": None,
        "PixelSpacing": None,
        "SliceThickness": None,
        "RescaleIntercept": None,
        "RescaleSlope": None,
        **changes,
    }
    return ct_slice(0, **fields)
