import numpy as np
import pytest
from support.nrrd_files import VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_volume


def test_a_pair_that_bears_the_name_of_a_field_is_no_field(tmp_path):
    content = nrrd_bytes(pairs=["byte skip:=-5", "Grüße:=schön"])

    volume = read_volume(write(tmp_path, content))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.header["Grüße"] == "schön"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with NRRD0001"),
        (b"version https://git-lfs", "must begin with NRRD0001"),
        (b"NRRD0009\n", "must begin with NRRD0001"),
        (b"NRRD0004\nno colon here\n\n", 'must read "field: value"'),
        (nrrd_bytes(pairs=["type: int"]), "field 'type' must be given once"),
        (nrrd_bytes(pairs=["x" * 2**20 + ":=1"]), "end with an empty line within"),
    ],
)
def test_a_file_that_is_no_nrrd_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read_volume(write(tmp_path, content))
