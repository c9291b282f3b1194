"""MetaImage files written out by hand, field by field."""

from __future__ import annotations

from support.nrrd_files import VOXELS

FIELDS = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "10 20 30",
    "CenterOfRotation": "0 0 0",
    "AnatomicalOrientation": "RAI",
    "ElementSpacing": "0.5 1 2",
    "DimSize": "2 3 4",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
RAW = VOXELS.tobytes(order="F")


def metaimage_bytes(data=RAW, end="\n", **changes):
    """A file as text and data; a change to None leaves the field out.

    Fields that are new stand before ElementDataFile.
    """
    fields = {**FIELDS, **changes}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    lines = [f"{name} = {text}" for name, text in fields.items() if text is not None]
    return end.join([*lines, ""]).encode() + data
