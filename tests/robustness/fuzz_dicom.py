"""DICOM files changed at random: whatever they hold, only a DataError may come out.

pytest runs a short round that is the same each time; a long one as fuzz_nrrd.py:

    make fuzz FORMAT=dicom RUNS=20000 SEED=1
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from support.dicom_files import VOXELS, ct_slice, enhanced_ct
from support.fuzzing import LONGEST_MESSAGE, SHORT_ROUND, fuzz, limited_time, main

from system.errors import DataError
from volumes.formats.dicom import read_dicom_series, series_checksum

NAME = b"QUAGGA^ZEBRA"
WORDS = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"SQ", b"UN", b"OB"]
WORDS += [b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0", b"\xe0\x7f\x10\x00", b"\\", b"nan"]
WORDS += [b"1e999", b"-1", b"\x05\x00\x08\x00", b"\x28\x00\x10\x00", NAME, b"\0" * 8]


def _seeds() -> list[bytes]:
    """Build files of one slice, of five frames, and in several encodings."""
    pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
    datasets = []
    for syntax in ("ImplicitVRLittleEndian", "ExplicitVRLittleEndian", "RLELossless"):
        for dataset in (ct_slice(0), enhanced_ct()):
            if syntax == "RLELossless":
                dataset.compress(pydicom.uid.RLELossless)
            dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
            datasets.append(dataset)
    contents = []
    for dataset in datasets:
        dataset.PatientName = NAME.decode()
        stream = io.BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        contents.append(stream.getvalue())
    return contents


SEEDS = _seeds()


@st.composite
def changed_files(draw: st.DrawFn) -> bytes:
    """Change a file in one to three places."""
    content = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        start = draw(st.integers(128, len(content)))
        way = draw(st.sampled_from(["word"] * 4 + ["bytes"] * 3 + ["cut", "add"]))
        if way == "cut":
            content = content[:start]
            continue
        new = draw(st.sampled_from(WORDS) if way == "word" else st.binary(max_size=4))
        end = start if way == "add" else start + len(new)
        content = content[:start] + new + content[end:]
    return content


def check(path: Path, content: bytes) -> str:
    """Read a folder of one file; return "read" or "refused", raise at a fault."""
    path.write_bytes(content)
    try:
        with limited_time():
            volume = read_dicom_series(path.parent)
            checksum = series_checksum(path.parent)
    except DataError as error:
        message = str(error)
        assert str(path.parent) in message
        assert len(message) <= LONGEST_MESSAGE
        assert "\n" not in message
        assert "QUAGGA" not in message
        return "refused"
    assert volume.array.shape == volume.grid.shape
    assert volume.array.size <= VOXELS.size
    assert np.isfinite(volume.array).all()
    assert volume.checksum == checksum
    assert "QUAGGA" not in repr(volume)
    return "read"


def test_only_data_errors_come_out_of_changed_files(tmp_path):
    outcomes = fuzz(tmp_path / "a", changed_files(), SHORT_ROUND, seed=0, check=check)

    # Neither so mild that all are read nor so wild that none is.
    assert outcomes["read"] > SHORT_ROUND / 20
    assert outcomes["refused"] > SHORT_ROUND / 20


if __name__ == "__main__":
    main("a", changed_files(), {}, check)
