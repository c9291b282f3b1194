import bz2
import gzip
import os

import numpy as np
import pytest
from support.nrrd_files import SHAPE, VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_label_map, read_volume


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "int128"}, "field 'type' .*'int128'"),
        ({"type": "block"}, "field 'type' .*'block'"),
        ({"type": None}, "field 'type' must be given"),
        ({"endian": None}, "field 'endian' .*no such field"),
        ({"endian": "middle"}, "field 'endian' .*'middle'"),
        ({"encoding": "hex"}, "field 'encoding' must be raw, gzip, bzip2 or ascii"),
        ({"encoding": "gzip"}, "field 'encoding' must be the one the data are in"),
        ({"encoding": "bzip2"}, "field 'encoding' must be the one the data are in"),
        ({"dimension": "2", "sizes": "6 4", "kinds": None}, "2-D data of sizes 6 x 4"),
        ({"dimension": "4"}, "field 'sizes' must hold dimension = 4 numbers"),
        ({"kinds": "domain domain"}, "field 'kinds' must hold dimension = 3 words"),
        ({"kinds": "RGB-color domain domain"}, "sizes 2 x 3 x 4 and kinds RGB-color"),
        ({"kinds": "vector domain domain"}, "kinds vector, domain, domain"),
        ({"sizes": "2 -3 4"}, "field 'sizes' must be positive"),
        ({"sizes": "2 0 4"}, "field 'sizes' must be positive"),
        ({"sizes": "2.5 3 4"}, "field 'sizes' must hold integers"),
        ({"sizes": "65536 65536 65536"}, "at most 2147483648 voxels"),
        ({"sizes": "2 3 4 " * 10_000}, "field 'sizes' must hold dimension = 3 numbers"),
        ({"type": "short" * 10_000}, "field 'type' must be an integer or float type"),
        ({"kinds": "domain " * 10_000}, "field 'kinds' must hold dimension = 3 words"),
        ({"sizes": "99999999999999999999 3 4"}, "field 'sizes'"),
        ({"space": "up-and-down"}, "field 'space' must be one of"),
        ({"space directions": "(1,0,0) (0,0,0) (0,0,1)"}, "field 'space directions'"),
        ({"space directions": "(1,0,0) (2,0,0) (0,0,1)"}, "field 'space directions'"),
        ({"space directions": "(1,0,0) (0,nan,0) (0,0,1)"}, "field 'space directions'"),
        ({"space directions": "(1,0,0) none (0,0,1)"}, "field 'space directions'"),
        (
            {"space directions": "(nan,nan,nan) (nan,nan,nan) (nan,nan,nan)"},
            "directions",
        ),
        ({"space directions": "(1,0) (0,1) (0,0)"}, "field 'space directions'"),
        ({"space directions": "1 0 0"}, "field 'space directions' could not be parsed"),
        ({"space origin": ""}, "field 'space origin' could not be parsed"),
        ({"space origin": "(0,inf,0)"}, "field 'space origin' must hold three finite"),
        (
            {"space directions": None, "spacings": "1 0 1"},
            "field 'spacings' .*positive",
        ),
        ({"space directions": None, "spacings": "1 -1 1"}, "field 'spacings'"),
        ({"space directions": None, "spacings": "1 nan 1"}, "field 'spacings'"),
        (
            {"space origin": "(0,1e300,0)"},
            "field 'space origin' must hold three finite",
        ),
        (
            {"space directions": "(1e300,0,0) (0,1,0) (0,0,1)"},
            "must hold finite numbers",
        ),
        (
            {"space directions": "(1e-7,0,0) (0,1,0) (0,0,1)"},
            "field 'space directions' must span space",
        ),
        (
            {"space directions": None, "spacings": "1 1e-7 1"},
            "field 'spacings' must span space",
        ),
        ({"line skip": "-2"}, "field 'line skip' must be from 0 to 65536"),
        ({"line skip": "99999999999"}, "field 'line skip' must be from 0 to 65536"),
        ({"byte skip": "-5"}, "field 'byte skip' must be -1 or more"),
        ({"data file": "LIST"}, "field 'data file' must name one file"),
        ({"data file": "slice%03d.raw 1 4 1"}, "field 'data file' must name one file"),
        ({"data file": "none.raw"}, "field 'data file' must name a file that exists"),
        (
            {"data file": "/dev/zero"},
            r"field 'data file' must name a file in .* below it\. Received",
        ),
        (
            {"data file": "../scan.raw"},
            r"field 'data file' must name a file in .* below it\. Received",
        ),
    ],
)
def test_a_header_is_refused_with_its_field(tmp_path, changes, message):
    content = nrrd_bytes(
        **{key.replace(" ", "_"): text for key, text in changes.items()}
    )
    path = write(tmp_path, content)

    with pytest.raises(DataError, match=message) as caught:
        read_volume(path)

    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500  # however long the field is


def test_a_data_file_that_leaves_the_folder_or_is_no_file_is_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    secret = write(tmp_path, VOXELS.tobytes(order="F"), "secret.raw")
    (inside / "link.raw").symlink_to(secret)
    os.mkfifo(inside / "pipe.raw")
    (inside / "folder.raw").mkdir()

    for name, reason in [
        ("link.raw", "not a link that leaves it"),
        ("pipe.raw", "must name a regular file"),
        ("folder.raw", "must name a regular file"),
    ]:
        path = write(inside, nrrd_bytes(b"", data_file=name), "scan.nhdr")
        with pytest.raises(DataError, match=reason):
            read_volume(path)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("raw", bytes), ("gzip", gzip.compress), ("bzip2", bz2.compress)],
)
@pytest.mark.parametrize("change", [-3, 5])
def test_data_of_another_length_are_refused_with_both_counts(
    tmp_path, encoding, pack, change
):
    # 2 * 3 * 4 voxels of 2 bytes are 48 bytes.
    data = (VOXELS.tobytes(order="F") + b"extra")[: 48 + change]
    path = write(tmp_path, nrrd_bytes(pack(data), encoding=encoding))

    with pytest.raises(DataError, match=rf"48 bytes.*Received: {48 + change} bytes"):
        read_volume(path)


def test_a_stream_that_is_cut_off_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 2**15, SHAPE).astype("<i2")
    data = gzip.compress(noise.tobytes(order="F"))[:-20]
    path = write(tmp_path, nrrd_bytes(data, encoding="gzip"))

    with pytest.raises(
        DataError, match=r"48 bytes.*Received: \d+ bytes, then the gzip"
    ):
        read_volume(path)


def test_a_wrong_number_of_words_is_refused_with_both_counts(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1 2 3", encoding="ascii"))

    with pytest.raises(DataError, match=r"24 numbers.*Received: 3 numbers"):
        read_volume(path)


@pytest.mark.parametrize("kind", ["short", "float"])
@pytest.mark.parametrize("word", ["40000", "1.5", "one", "1e300", "1_0", "9" * 500])
def test_a_word_that_does_not_fit_the_type_is_refused(tmp_path, word, kind):
    data = f"{word} {'0 ' * 23}".encode()
    path = write(tmp_path, nrrd_bytes(data, encoding="ascii", type=kind))

    if kind == "float" and word in ("40000", "1.5"):
        assert read_volume(path).array[0, 0, 0] == float(word)
        return
    with pytest.raises(DataError, match="field 'type' must"):
        read_volume(path)


def test_a_word_without_end_is_refused(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1" * 2**21, encoding="ascii"))

    with pytest.raises(DataError, match="field 'type' must be that of numbers"):
        read_volume(path)


def test_counting_words_stops_soon_after_the_promised_numbers(tmp_path):
    path = write(tmp_path, nrrd_bytes(b"1 " * 2**21, encoding="ascii"))

    # Of 2^21 words, those of the first piece of 2^20 bytes.
    with pytest.raises(DataError, match="Received: at least 524288 numbers"):
        read_volume(path)


@pytest.mark.parametrize("pack", [gzip, bz2])
def test_unpacking_stops_soon_after_the_promised_bytes(tmp_path, pack):
    bomb = pack.compress(bytes(2**24))  # 16 MiB in some kB
    encoding = {gzip: "gzip", bz2: "bzip2"}[pack]
    path = write(tmp_path, nrrd_bytes(bomb, encoding=encoding))

    # 48 promised bytes and the 64 kiB by which a surplus is measured.
    with pytest.raises(DataError, match="Received: at least 65584 bytes"):
        read_volume(path)


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


def test_overlapping_layers_are_refused_with_the_reason(tmp_path):
    content = nrrd_bytes(
        bytes(96),
        dimension="4",
        sizes="2 2 3 4",
        kinds="list domain domain domain",
        space_directions="none (1,0,0) (0,1,0) (0,0,1)",
    )

    with pytest.raises(DataError, match=r"2 layers .*segments overlap"):
        read_label_map(write(tmp_path, content, "label.seg.nrrd"))
