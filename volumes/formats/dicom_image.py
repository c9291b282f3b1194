"""What a volume needs of one DICOM file: its pixels' type, and where its slices lie.

Reference:
    [DICOM PS3.3](https://dicom.nema.org/medical/dicom/current/output/html/part03.html)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from system.errors import DataError
from volumes.formats.dicom_file import (
    find_pixel_data,
    integer_of,
    numbers_of,
    read_header,
    refusing,
    values_of,
)

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

MAX_FRAMES = 2**15
# What may be shown of the field Modality, which a file could fill with any text.
MODALITIES = ("CT", "MR", "PT", "NM", "OT", "PR", "KO", "SR", "REG", "SEG")
MODALITIES += ("RTSTRUCT", "RTDOSE", "RTPLAN")

_PIXEL_FIELDS = (
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
# In which images at one position may differ; the last five are a frame's.
_DISTINCTIONS = (
    "ImageType",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "InversionTime",
    "RepetitionTime",
    "FlipAngle",
    "TriggerTime",
    "DiffusionBValue",
    "ConvolutionKernel",
    "TemporalPositionIndex",
    "FrameAcquisitionNumber",
    "StackID",
    "EffectiveEchoTime",
    "FrameType",
)
_FUNCTIONAL_GROUPS = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameContentSequence",
    "MREchoSequence",
    "MRDiffusionSequence",
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
)
_FIELDS = (
    *_PIXEL_FIELDS,
    *_DISTINCTIONS,
    "Rows",
    "Columns",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesNumber",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "LossyImageCompression",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True, eq=False)
class Slice:
    """One plane of voxels: an image, or a frame of a multi-frame image.

    Args:
        image: The image it belongs to.
        frame: Its number in the file, from 0.
        position: Centre of its first pixel, LPS in mm; empty if the file gives none.
        orientation: Direction of a row and then of a column, six cosines in LPS.
        spacing: Distance in mm between rows, and between columns.
        thickness: In mm.
        slope: What stored values are multiplied by; None if the file gives none.
        intercept: What is added then.
        distinctions: Values of the fields that may tell apart images of one position.
    """

    image: DicomImage
    frame: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float | None
    slope: float | None
    intercept: float | None
    distinctions: dict[str, str]


@dataclass(frozen=True, eq=False)
class DicomImage:
    """A file that holds an image; nothing is checked yet but the pixel data's length.

    Args:
        path: The file.
        label: What messages call it, as file names often hold names or UIDs.
        modality: One of `MODALITIES`, or "other".
        series_number: None if there is none.
        uids: Of series, frame of reference and image; to be compared, never shown.
        transfer_syntax: UID of the encoding, "" if the file gives none.
        is_little_endian: Byte order of pixels that are not encapsulated.
        rows: 0 if the file does not say.
        columns: As the rows.
        pixel_fields: The integers that describe a pixel, by the keywords given.
        photometric: PhotometricInterpretation.
        num_frames: As the file says.
        is_lossy: Whether the pixels went through a lossy compression.
        has_lookup_table: Whether a table gives the values instead of a slope.
        pixel_offset: Where in the file the pixel data begin.
        pixel_length: How many bytes they are.
        is_encapsulated: Whether they are compressed, in frames of any length.
        slices: One for each frame that has a position of its own.
    """

    path: Path
    label: str
    modality: str
    series_number: int | None
    uids: tuple[str, ...]
    transfer_syntax: str
    is_little_endian: bool
    rows: int
    columns: int
    pixel_fields: dict[str, int]
    photometric: str
    num_frames: int
    is_lossy: bool
    has_lookup_table: bool
    pixel_offset: int
    pixel_length: int
    is_encapsulated: bool
    slices: list[Slice] = field(default_factory=list)


def read_image(path: Path, label: str) -> DicomImage | str:
    """Read what a file says of its image.

    Args:
        path: A regular file.
        label: What messages call it.

    Returns:
        The image, or what the file is instead, in a word or two.

    Raises:
        DataError: If it cannot be read, or is an image that is cut off.
    """
    try:
        with path.open("rb") as stream:
            dataset = read_header(stream, label, _FIELDS)
            if dataset is None:
                return "not DICOM"
            with refusing(f"{label}: the header must be one of a DICOM image"):
                return _describe(dataset, stream, path, label)
    except OSError as error:
        raise DataError(f"{label}: could not be read: {error.strerror}") from None


def _describe(
    dataset: FileDataset, stream: BinaryIO, path: Path, label: str
) -> DicomImage | str:
    """Build the image of a file that was read up to its pixel data."""
    meta = dataset.file_meta
    sop_class = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    name = getattr(sop_class, "name", "")
    modality = dataset.get("Modality")
    modality = modality if modality in MODALITIES else "other"
    if name == "Media Storage Directory Storage":
        return "DICOMDIR"
    if not name.endswith("Image Storage"):
        return f"object without image ({modality})"
    if "LOCALIZER" in values_of(dataset, "ImageType"):
        return "localiser"
    is_little_endian = bool(dataset.original_encoding[1])
    offset, length, is_encapsulated = find_pixel_data(stream, is_little_endian, label)
    pixel_fields = {name: integer_of(dataset, name, label) for name in _PIXEL_FIELDS}
    uids = ("SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID")
    image = DicomImage(
        path=path,
        label=label,
        modality=modality,
        series_number=integer_of(dataset, "SeriesNumber", label),
        uids=tuple(str(dataset.get(keyword)) for keyword in uids),
        transfer_syntax=str(meta.get("TransferSyntaxUID", "")),
        is_little_endian=is_little_endian,
        rows=integer_of(dataset, "Rows", label) or 0,
        columns=integer_of(dataset, "Columns", label) or 0,
        pixel_fields={
            name: value for name, value in pixel_fields.items() if value is not None
        },
        photometric=str(dataset.get("PhotometricInterpretation")),
        num_frames=integer_of(dataset, "NumberOfFrames", label) or 1,
        is_lossy=dataset.get("LossyImageCompression") == "01",
        has_lookup_table="ModalityLUTSequence" in dataset,
        pixel_offset=offset,
        pixel_length=length,
        is_encapsulated=is_encapsulated,
    )
    image.slices.extend(_slices(dataset, image))
    return image


def _slices(dataset: Dataset, image: DicomImage) -> Iterator[Slice]:
    """Yield the slices of a file, by its functional groups where it has them."""
    from pydicom import Dataset

    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    if frames is None:
        yield _slice(dataset, image, 0)
        return
    if len(frames) != image.num_frames or image.num_frames > MAX_FRAMES:
        raise DataError(
            f"{image.label}: field 'PerFrameFunctionalGroupsSequence' must describe "
            f"each frame, of at most {MAX_FRAMES}. Received: {len(frames)} "
            f"descriptions of {image.num_frames} frames"
        )
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for number, frame in enumerate(frames):
        fields = Dataset()
        for keyword in _FUNCTIONAL_GROUPS:
            items = frame.get(keyword) or shared.get(keyword)
            if items:
                fields.update(items[0])
        yield _slice(fields, image, number)


def _slice(fields: Dataset, image: DicomImage, frame: int) -> Slice:
    """Build the slice that the fields of a file, or of a frame, describe."""

    def numbers(keyword: str, count: int) -> tuple[float, ...]:
        return numbers_of(fields, keyword, count, image.label)

    def number(keyword: str) -> float | None:
        values = numbers(keyword, 1)
        return values[0] if values else None

    return Slice(
        image=image,
        frame=frame,
        position=numbers("ImagePositionPatient", 3),
        orientation=numbers("ImageOrientationPatient", 6),
        spacing=numbers("PixelSpacing", 2),
        thickness=number("SliceThickness"),
        slope=number("RescaleSlope"),
        intercept=number("RescaleIntercept"),
        distinctions={
            keyword: str(fields.get(keyword))
            for keyword in _DISTINCTIONS
            if keyword in fields
        },
    )
