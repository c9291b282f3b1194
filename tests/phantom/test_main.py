import subprocess
import sys

import numpy as np
import pytest
from support.places import ROOT

from cube.pairs import read_pairs
from phantom.__main__ import main
from phantom.cases import SPACES
from volumes.formats.files import read_label_map, read_volume
from volumes.geometry import share_a_grid


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of one run through main, with one case and the unseen scan."""
    output = tmp_path_factory.mktemp("phantom") / "new" / "scans"
    arguments = [str(output), "--cases", "1", "--seed", "5", "--workers", "1"]
    return output, main(arguments)


def test_main_writes_what_the_same_seed_and_case_made_before(written, mr):
    output, status = written

    assert status == 0
    lines = (output / "pairs.txt").read_text().splitlines()
    assert lines[0].startswith("#")
    assert lines[1:] == [
        "labels: verse",
        "phantom_01/image.nrrd,phantom_01/label.nrrd",
    ]
    (pair,) = read_pairs(output / "pairs.txt")
    assert pair.image == output / "phantom_01" / "image.nrrd"
    assert pair.label == output / "phantom_01" / "label.nrrd"
    assert pair.label_table is not None
    assert pair.label_table.names[20] == "L1"
    for name in ("phantom_01", "unseen"):
        image = read_volume(output / name / "image.nrrd")
        label_map = read_label_map(output / name / "label.nrrd")
        assert share_a_grid(image.grid, label_map.grid)
        assert image.header["space"] in SPACES
    image = read_volume(output / "phantom_01" / "image.nrrd")
    np.testing.assert_array_equal(image.array, mr.image)
    np.testing.assert_allclose(image.grid.affine, mr.grid.affine, atol=1e-6)


@pytest.mark.slow
def test_a_run_from_the_shell_gives_the_same_bytes(written, tmp_path):
    output, _ = written

    flags = ["--cases", "1", "--seed", "5", "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "phantom", tmp_path / "again", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["phantom_01", "MR"],
        ["unseen", "MR"],
    ]
    for file in sorted(output.glob("**/*.*")):
        same = tmp_path / "again" / file.relative_to(output)
        assert same.read_bytes() == file.read_bytes(), file.name


def test_main_refuses_to_replace_a_list_without_force(tmp_path, capsys):
    (tmp_path / "pairs.txt").write_text("mine\n")

    status = main([str(tmp_path), "--cases", "1"])

    assert status == 2
    assert "pairs.txt exists already; --force replaces it." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.txt"]
    assert (tmp_path / "pairs.txt").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--cases", "0", "--cases must be 1 or more. Received: --cases 0"),
        ("--seed", "-1", "--seed must be 0 or more. Received: --seed -1"),
        ("--workers", "0", "--workers must be 1 or more. Received: --workers 0"),
    ],
)
def test_main_refuses_numbers_out_of_range(tmp_path, capsys, flag, value, message):
    status = main([str(tmp_path / "scans"), flag, value])

    assert status == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "scans").exists()
