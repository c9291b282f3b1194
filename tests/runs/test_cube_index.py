from dataclasses import replace

from support.cubes import clean_rows, make_row, write_cube

from cube.findings import Finding
from cube.reader import Cube
from runs.cube_index import write_index


def test_cards_show_scan_split_and_copies_and_the_facts_the_grid(tmp_path):
    long = replace(row := make_row("a b"), source={**row.source, "shape": [1024, 9, 3]})
    path = write_cube(tmp_path / "cube.h5", [*clean_rows(), long])
    finding = Finding("cid", None, "no foreground", "no voxel is labelled")

    with Cube(path) as cube:
        write_index(cube, [finding], tmp_path / "pictures")

    page = (tmp_path / "pictures" / "index.html").read_text(encoding="utf-8")
    assert "4 cases: train 2 cases, validation 1 case, test 1 case" in page
    assert "6 \u00d7 8 \u00d7 10 voxels of 2 \u00d7 1 \u00d7 0.5 mm" in page
    assert "<dd><span>--seed</span> 0</dd>" in page
    cards = page.split('<li class="card"')[1:]
    assert [card.count("<dt>Copies</dt><dd>1</dd>") for card in cards] == [1, 0, 0, 0]
    assert "<dt>Spacing</dt><dd>0.5 \u00d7 1 \u00d7 4 mm</dd>" in cards[0]
    assert ["Fault: no foreground" in card for card in cards] == [0, 0, 1, 0]
    assert "<dt>Size</dt><dd>1024 \u00d7 9 \u00d7 3</dd>" in cards[3]
    assert 'href="a_b.png"' in cards[3]
    assert 'src="thumbnails/a_b.jpg"' in cards[3]
