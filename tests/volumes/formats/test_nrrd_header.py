import pytest
from support.nrrd_files import SHAPE, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_label_map, read_volume


def test_as_many_voxels_are_read_as_allowed(tmp_path):
    path = write(tmp_path, nrrd_bytes())

    assert read_volume(path, max_voxels=24).array.shape == SHAPE
    with pytest.raises(DataError, match=r"at most 23 voxels in total .--max-voxels"):
        read_volume(path, max_voxels=23)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "int128"}, "field 'type' .*'int128'"),
        ({"type": "block"}, "field 'type' .*'block'"),
        ({"type": None}, "field 'type' must be given"),
        ({"endian": None}, "field 'endian' .*no such field"),
        ({"endian": "middle"}, "field 'endian' .*'middle'"),
        ({"encoding": "hex"}, "field 'encoding' must be raw, gzip, bzip2 or ascii"),
        ({"encoding": "gzip"}, "field 'encoding' must be the encoding of the data"),
        ({"encoding": "bzip2"}, "field 'encoding' must be the encoding of the data"),
        ({"dimension": "2", "sizes": "6 4", "kinds": None}, "2-D data of sizes 6 x 4"),
        ({"dimension": "4"}, "field 'sizes' must hold dimension = 4 numbers"),
        ({"kinds": "domain domain"}, "field 'kinds' must hold dimension = 3 words"),
        ({"kinds": "RGB-color domain domain"}, "sizes 2 x 3 x 4 and kinds RGB-color"),
        ({"kinds": "vector domain domain"}, "kinds vector, domain, domain"),
        ({"sizes": "2 -3 4"}, "field 'sizes' must be positive"),
        (
            {"sizes": "2 0 4"},
            "must be positive, but the file is empty: it holds no vox",
        ),
        ({"sizes": "0 0 0"}, "the file is empty.*3D Slicer saves"),
        (
            {
                "dimension": "4",
                "sizes": "2 2 3 4",
                "kinds": "list domain domain domain",
            },
            "2 layers.*section Binary labelmap layers: check Force collapse",
        ),
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


def test_overlapping_layers_are_refused_with_the_reason(tmp_path):
    content = nrrd_bytes(
        bytes(96),
        dimension="4",
        sizes="2 2 3 4",
        kinds="list domain domain domain",
        space_directions="none (1,0,0) (0,1,0) (0,0,1)",
    )

    with pytest.raises(DataError, match=r"2 layers .*overlapping segments"):
        read_label_map(write(tmp_path, content, "label.seg.nrrd"))
