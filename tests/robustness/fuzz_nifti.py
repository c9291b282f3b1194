"""NIfTI files changed at random: whatever they hold, only a DataError may come out.

pytest runs a short round that is the same each time; a long one as fuzz_nrrd.py:

    make fuzz FORMAT=nifti RUNS=20000 SEED=1
"""

from __future__ import annotations

import nibabel as nib
import numpy as np
from hypothesis import strategies as st
from support.fuzzing import SHORT_ROUND, fuzz, main

SHAPE = (2, 3, 4)
AFFINE = np.array([[0, -0.6, 2, 9], [0.5, 0, 0, -8], [0, 0.8, 1.5, 7], [0, 0, 0, 1.0]])
NUMBERS = [0, 1, -1, 2, 3, 4, 7, 8, 16, 255, 348, 352, 540, 544, 32767, -32768, 2**31]
NUMBERS += [2**62, 0.5, 1e-30, -1e9, 1e30, 3e38, np.nan, np.inf, -np.inf]


def _seeds() -> list[bytes]:
    """Build files of both versions and byte orders, with sform, qform or neither."""
    contents = []
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for dtype in ("<i2", ">u1", "<f4", ">f8"):
            for sform, qform in ((1, 0), (0, 1), (1, 1), (0, 0)):
                array = np.arange(24).reshape(SHAPE).astype(dtype)
                header = kind.header_class(endianness=dtype[0])
                image = kind(array, AFFINE, header)
                image.header.set_sform(AFFINE, code=sform)
                image.header.set_qform(AFFINE, code=qform)
                contents.append(image.to_bytes())
    return contents


SEEDS = _seeds()


def _with_number(draw: st.DrawFn, content: bytes) -> bytes:
    """Set a field of the header to a number, clipped to the range of its type."""
    kind = nib.Nifti1Header if content[:2] != b"\x1c\x02" else nib.Nifti2Header
    size = kind.template_dtype.itemsize
    header = kind(content[:size], check=False)
    names = [name for name in header if header[name].dtype.kind in "iuf"]
    values = header[draw(st.sampled_from(names))].reshape(-1)  # a view
    number = draw(st.sampled_from(NUMBERS))
    if values.dtype.kind != "f":
        bounds = np.iinfo(values.dtype)
        number = min(max(int(np.nan_to_num(number)), bounds.min), bounds.max)
    with np.errstate(over="ignore"):
        values[draw(st.integers(0, values.size - 1))] = number
    return header.binaryblock + content[size:]


@st.composite
def changed_files(draw: st.DrawFn) -> bytes:
    """Change a file in one to three places."""
    content = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        way = draw(st.sampled_from(["number"] * 8 + ["cut", "add", "splice"]))
        if way == "number" and len(content) > 540:
            content = _with_number(draw, content)
        elif way == "cut":
            content = content[: draw(st.integers(0, len(content)))]
        elif way == "add":
            content += draw(st.binary(min_size=1, max_size=8))
        else:
            first = draw(st.integers(0, len(content)))
            content = content[:first] + draw(st.binary(max_size=4)) + content[first:]
    return content


def test_only_data_errors_come_out_of_changed_files(tmp_path):
    outcomes = fuzz(tmp_path / "scan.nii", changed_files(), SHORT_ROUND, seed=0)

    assert outcomes["read"] > SHORT_ROUND / 20
    assert outcomes["refused"] > SHORT_ROUND / 20


if __name__ == "__main__":
    main("scan.nii", changed_files(), {})
