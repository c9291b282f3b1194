import json

import numba
import numpy as np
import pytest
from support.itk import PERMUTED, make_scan
from support.scans import GRID, build, write_scan, write_scans

from augment.compose import TRANSFORMS, Compose, compose_default, replay
from augment.contrast_curve import ContrastCurve
from augment.intensity import (
    BiasField,
    Brightness,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    LowResolution,
    RicianNoise,
)
from augment.spatial import Elastic, Flip, Rescaling, Rotation, Shift
from cube.reader import Cube
from volumes.classes import build_lookup
from volumes.formats.files import read_label_map, read_volume
from volumes.geometry import Grid, affine_from, canonical_grid
from volumes.intensity import Intensity, measure_intensity
from volumes.resample import antialias

SCAN = Grid((14, 9, 12), affine_from((0.9, 2.1, 1.2), (-70, 12, 800), PERMUTED))
EVERY = [
    Flip(1.0),
    Rescaling(0.8, 1.2, per_axis=True),
    Rotation(20),
    Shift(3),
    Elastic(3, control_spacing=8),
    GaussianBlur(4),
    LowResolution(4, p=1),
    ContrastCurve(p=1),
    Gamma(0.5, 2),
    Brightness(0.5),
    Contrast(0.5, 0.9),
    BiasField(0.4),
    GaussianNoise(0.5),
    RicianNoise(0.5),
]
CHAINS = {
    **{transform.name: Compose([transform]) for transform in EVERY},
    "default": compose_default(),
    "everything": Compose(EVERY),
}
# With those that are off by default, so that every transform is drawn.
FLAGS = (
    "--copies 3 --labels L2=21 L1=20 --spacing 3 1.5 1.5 --shift 3 --low-resolution 3 "
    "--contrast-curve 0.9 --brightness 0.3 --contrast 0.7 1.3 --bias-field 0.3 "
    "--rician-noise 0.2"
)


@pytest.fixture(scope="module", params=[("zscore",), ("window", "-200", "1000")])
def cube_path(request, tmp_path_factory):
    """A cube of three MR and one CT, with every transform, by either normalisation."""
    folder = write_scans(tmp_path_factory.mktemp("scans"))
    ct = np.random.default_rng(5).integers(-1000, 1200, GRID.shape).astype(np.int16)
    write_scan(folder, "ben", image=ct)
    assert build(folder, *FLAGS.split(), "--intensity", *request.param) == 0
    return folder / "cube.h5"


@pytest.fixture
def num_threads():
    """Return the function that sets numba's threads; restore them afterwards."""
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


def apply(drawn, scan=None):
    image, label = scan or make_scan(SCAN)
    return replay(
        drawn,
        image,
        label,
        source=SCAN,
        target=canonical_grid(SCAN, (1.5, 1.0, 1.3)),
        intensity=measure_intensity(image, ("zscore",)),
    )


def assert_same_bytes(first, second):
    assert [array.tobytes() for array in first] == [array.tobytes() for array in second]


def test_every_transform_is_among_those_replayed():
    assert {transform.name for transform in EVERY} == set(TRANSFORMS)


@pytest.mark.parametrize("name", CHAINS)
def test_drawn_parameters_survive_json_and_replay_to_the_same_bytes(name):
    for seed in range(3):
        drawn = CHAINS[name].draw(np.random.default_rng(seed))
        text = json.dumps(drawn)

        assert json.loads(text) == drawn
        assert list(json.loads(text)) == list(drawn)
        assert_same_bytes(apply(drawn), apply(text))


@pytest.mark.parametrize("name", CHAINS)
def test_every_chain_changes_the_image_and_spatial_ones_the_label_map(name):
    image, label = apply(CHAINS[name].draw(np.random.default_rng(1)))

    plain = apply("{}")

    assert np.abs(image - plain[0]).max() > 0.05
    moved = CHAINS[name].transforms[0].name in [t.name for t in EVERY[:5]]
    assert (label != plain[1]).any() == moved


@pytest.mark.parametrize("name", ["blur", "gamma", "noise", "rician_noise", "default"])
def test_bytes_do_not_depend_on_the_number_of_threads(name, num_threads):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one thread only")
    # More than a block of voxels for each thread, and an odd number of them.
    grid = Grid((23, 31, 29), affine_from((0.9, 1.1, 1.3)))
    scan = make_scan(grid)
    drawn = CHAINS[name].draw(np.random.default_rng(2))
    made = []

    for threads in (1, 2):
        num_threads(threads)
        intensity = measure_intensity(scan[0], ("zscore",))
        made.append(replay(drawn, *scan, source=grid, intensity=intensity))

    assert_same_bytes(*made)


def test_replay_of_nothing_returns_the_scan():
    image, label = make_scan(SCAN)

    out, seg = replay({}, image, label, source=SCAN)

    np.testing.assert_allclose(out, image, atol=1e-3)  # of 1800
    np.testing.assert_array_equal(seg, label)


def test_image_is_replayed_alike_without_its_label_map():
    image, _ = make_scan(SCAN)
    drawn = {"rotation": [10.0, 5.0, -7.0], "noise": {"std": 0.2, "seed": 4}}

    out, seg = apply(drawn, (image, None))

    np.testing.assert_array_equal(out, apply(drawn)[0])
    assert seg.size == 0


def test_scan_and_drawn_parameters_are_not_changed():
    image, label = make_scan(SCAN)
    drawn = CHAINS["everything"].draw(np.random.default_rng(0))
    before = image.copy(), label.copy(), json.dumps(drawn)

    apply(drawn, (image, label))

    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])
    assert json.dumps(drawn) == before[2]


def test_cube_stores_what_every_transform_drew(cube_path):
    with Cube(cube_path) as cube:
        assert cube.copies.count(0) == 4
        drawn = [cube.drawn[row] for row in range(len(cube)) if cube.copies[row]]

    assert len(drawn) == 6
    assert all(list(values) == list(TRANSFORMS) for values in drawn)
    # In a quarter of the copies: of 6 neither all nor none, for this seed.
    assert 0 < [values["low_resolution"] is None for values in drawn].count(True) < 6
    for values in drawn:
        assert 0 < values["elastic"]["smallest_jacobian"] < 2
        assert np.abs(values["shift"]).max() <= 3


def test_every_row_of_a_cube_replays_to_the_cube_s_bytes(cube_path):
    with Cube(cube_path) as cube:
        kinds = {source["intensity"]["kind"] for source in cube.sources}
        assert kinds == {cube.intensity[0]}
        for row, (source, drawn) in enumerate(
            zip(cube.sources, cube.drawn, strict=True)
        ):
            scan = read_volume(source["image"])
            target = canonical_grid(scan.grid, cube.spacing, cube.shape)

            image, label = replay(
                json.dumps(drawn),
                antialias(scan.array, scan.grid, target),
                read_label_map(source["label"]).array,
                source=scan.grid,
                target=target,
                intensity=Intensity(**source["intensity"]),
                classes=build_lookup(cube.label_values_of(row)),
            )

            kept = cube.image(row), cube.label(row)
            assert_same_bytes((image.astype(np.float16), label), kept)
