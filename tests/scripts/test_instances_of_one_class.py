"""Networks of one class, whose test cases tell vertebrae apart: from scan to page."""

import numpy as np
import pytest
from support.box_spines import box_spine
from support.small_runs import CASES, TINY, read_rows

import compareRuns
import makeCube
import train
from runs.folder import read_json
from volumes.formats.files import write_image


def write_pairs(folder):
    """Write scans of five boxes, with a value for each in the label map."""
    label_map, grid = box_spine(spacing=(4, 4, 4))
    lines = []
    for seed, (name, split) in enumerate(CASES.items()):
        noise = np.random.default_rng(seed).normal(0, 30, grid.shape)
        image = (500.0 * (label_map > 0) + noise).astype(np.float32)
        write_image(folder / f"{name}.nrrd", image, grid)
        write_image(folder / f"{name}_label.nrrd", label_map, grid)
        lines.append(f"{name}.nrrd,{name}_label.nrrd,{name},{split}\n")
    (folder / "pairs.txt").write_text("".join(lines))
    return folder / "pairs.txt"


@pytest.mark.slow
def test_vertebrae_are_scored_one_by_one_in_every_file(tmp_path):
    cube, run, page = (tmp_path / name for name in ("cube.h5", "run", "page"))
    flags = ["--spacing", "4", "--copies", "1", "--workers", "1"]
    pairs = str(write_pairs(tmp_path))

    assert makeCube.main([pairs, "--output", str(cube), *flags]) == 0
    assert train.main([str(cube), "--output", str(run), "--epochs", "1", *TINY]) == 0
    networks = [run / "unet2d", run / "unet3d"]
    assert compareRuns.main([*map(str, networks), "--output", str(page)]) == 0

    for network in networks:
        rows = read_rows(network / "scores.csv")
        assert [row["case_id"] for row in rows] == ["cid", "dan"]
        assert [row["num_reference"] for row in rows] == ["5", "5"]
        instances = read_json(network / "summary.json")["scores"]["instances"]
        assert instances["num_reference"] == 10
        assert "vertebrae" in (network / "summary.md").read_text().lower()
    for folder in (run, page):
        assert "| Instance recall" in (folder / "comparison.md").read_text()
        assert "Instances" in (folder / "report.html").read_text()
