import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augment.compose import TRANSFORMS
from augment.flags import FLAGS
from evaluation.instance_columns import COLUMNS as INSTANCE_COLUMNS
from evaluation.score_file import COLUMNS, LEFT_OUT
from spine.tables import SPINE_COLUMNS, VERTEBRA_COLUMNS
from volumes.palette import outline_color

# `import docs` would find the `docs` package of a dependency.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import compare_rotation
import draw_augmentation
import draw_vertebrae

DOCS = Path(draw_augmentation.__file__).parent
PAGE = (DOCS / "augmentation.md").read_text(encoding="utf-8")
FLAGS_PAGE = (DOCS / "flags.md").read_text(encoding="utf-8")
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")


def kilobytes(name):
    return (DOCS / "augmentation" / f"{name}.png").stat().st_size / 1000


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_has_a_heading_and_a_picture(name):
    assert f"\n### {name}\n" in PAGE
    assert f"](augmentation/{name}.png)" in PAGE
    assert kilobytes(name) < 150
    assert name in draw_augmentation.FIGURES


@pytest.mark.parametrize(("name", "flag"), FLAGS.items())
def test_flags_page_repeats_the_definition_of_every_flag(name, flag):
    values = " ".join(flag.metavar) if flag.is_range else flag.metavar
    usage = f"--{name.replace('_', '-')} {values}"

    assert f"| `{usage}` | {flag.default_text} | {flag.description} |" in FLAGS_PAGE


def test_every_picture_of_the_page_exists_and_the_readme_shows_one():
    named = re.findall(r"\]\(augmentation/(\w+)\.png\)", PAGE)

    assert sorted(named) == sorted([*draw_augmentation.FIGURES, "overview"])
    assert all(kilobytes(name) < 400 for name in named)
    assert "](docs/augmentation/overview.png)" in README


def test_every_figure_draws_the_transform_of_its_name():
    for name, figure in draw_augmentation.FIGURES.items():
        transform = name.removesuffix("_per_axis")
        assert [list(drawn) for drawn in figure.draws] == [[transform]] * len(
            figure.draws
        )


def test_drawing_script_writes_the_requested_pictures(tmp_path, capsys):
    code = draw_augmentation.main(
        ["--output", str(tmp_path / "new"), "--only", "flip", "noise"]
    )

    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert (code, written) == (0, ["flip.png", "noise.png"])
    assert len(capsys.readouterr().out.splitlines()) == 2
    with Image.open(tmp_path / "new" / "flip.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert np.all(pixels == outline_color(1), axis=2).sum() > 50


def test_drawing_script_reports_that_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").write_text("")

    code = draw_augmentation.main(
        ["--output", str(tmp_path / "file"), "--only", "flip"]
    )

    assert code == 1
    assert "could not be written" in capsys.readouterr().err


def test_example_reproduces_a_row_of_the_cube(small_cube, monkeypatch, capsys):
    example = re.search(r"```python\n(import numpy.*?)```", PAGE, re.DOTALL)[1]
    (script := small_cube.parent / "example.py").write_text(example)
    monkeypatch.chdir(small_cube.parent)

    runpy.run_path(str(script))

    assert capsys.readouterr().out.split() == ["True", "True"]


@pytest.mark.parametrize("side", compare_rotation.SIZES)
@pytest.mark.parametrize("degrees", compare_rotation.ANGLES)
def test_rotation_moves_image_and_label_map_to_the_exact_place(side, degrees):
    image, label, between = compare_rotation.measure(
        compare_rotation.rotate_here, side, degrees
    )

    # The label is whole voxels: on the ball's surface, 4 pi 6^2 = 452 of them, each
    # is off by [-0.5, 0.5], so its centre by sqrt(452 / 12 * 6^2 / 3) / 905 = 0.023
    # on one standard deviation; four of them.
    assert image < 0.005
    assert max(label, between) < (0.094 if any(degrees) else 1e-6)


def test_comparison_is_a_table_with_a_line_per_size_and_angle(capsys):
    assert compare_rotation.main([]) == 0

    lines = capsys.readouterr().out.splitlines()
    # Two lines of header, then three rotations of five sizes.
    assert len(lines) == 2 + 3 * 5
    assert len({line.count("|") for line in lines}) == 1


def test_pages_define_every_column_and_no_other():
    pages = [(DOCS / name).read_text("utf-8") for name in ("vertebrae.md", "scores.md")]
    tables = [part for page in pages for part in page.split("\n## ")]
    for name, columns in (
        ("vertebrae.csv", VERTEBRA_COLUMNS),
        ("spines.csv", SPINE_COLUMNS),
        ("Classes", COLUMNS + LEFT_OUT),
        ("Instances", INSTANCE_COLUMNS.values()),
    ):
        (section,) = [part for part in tables if part.startswith(name)]
        cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
        defined = [column for cell in cells for column in re.findall(r"`(\w+)`", cell)]

        assert defined == list(columns)


def test_picture_of_vertebrae_is_drawn_by_its_script(tmp_path, capsys):
    assert draw_vertebrae.main(["--output", str(tmp_path / "new.png")]) == 0

    assert "new.png" in capsys.readouterr().out
    assert (DOCS / "vertebrae.png").stat().st_size < 300_000
    with Image.open(tmp_path / "new.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for color in (draw_vertebrae.OUTLINE, draw_vertebrae.MEASURE, draw_vertebrae.PLATE):
        assert np.all(pixels == color, axis=2).sum() > 500
