import numpy as np
import pytest
import surface_distance
from scipy.spatial import distance

from evaluation.scores import score_case, score_masks
from system.errors import DataError
from volumes.geometry import Grid, affine_from
from volumes.ignored import IGNORED, find_void, split_ignored

SPACING = (3.0, 2.0, 1.0)
CLASSES = ("background", "vertebra")
SHAPE = (5, 6, 7)
# (5 * 3, 6 * 2, 7 * 1) = (15, 12, 7): 225 + 144 + 49 = 418
DIAGONAL = 418**0.5


def label_map(*voxels, shape=SHAPE, value=1):
    array = np.zeros(shape, dtype=np.uint8)
    for voxel in voxels:
        array[voxel] = value
    return array


def score(prediction, reference, spacing=SPACING, class_names=CLASSES):
    return score_case(
        prediction,
        reference,
        grid=Grid(prediction.shape, affine_from(spacing)),
        class_names=class_names,
        case_id="case-1",
    )


def blobs(seed):
    rng = np.random.default_rng(seed)
    return [(rng.random((6, 7, 8)) < share).astype(np.uint8) for share in (0.2, 0.35)]


def test_overlap_and_volumes_are_counted_by_hand():
    # 3 voxels against 2, of which 1 is shared; a voxel is 6 mm3 = 0.006 ml.
    prediction = label_map((1, 1, 1), (1, 1, 2), (1, 2, 2))
    reference = label_map((1, 1, 1), (3, 4, 5))

    (only,) = score(prediction, reference)

    assert only.case_id == "case-1"
    assert only.class_name == "vertebra"
    assert only.empty == ""
    assert only.dice == 2 * 1 / (3 + 2)
    assert only.iou == 1 / 4
    assert only.prediction_ml == pytest.approx(0.018, rel=1e-12)
    assert only.reference_ml == pytest.approx(0.012, rel=1e-12)
    assert only.volume_error_ml == pytest.approx(0.006, rel=1e-12)


@pytest.mark.parametrize(("axis", "step"), [(0, 3.0), (1, 2.0), (2, 1.0)])
def test_distances_follow_the_spacing_of_their_axis(axis, step):
    # A voxel's surface is its 8 corners, of equal area. Two voxels apart along
    # one axis the corners lie at 0, 1 and at 2, 3: half of them are 2 steps from
    # the other surface and half 1 step.
    reference = label_map((1, 1, 1))

    (only,) = score(np.roll(reference, 2, axis), reference)

    assert only.dice == 0
    assert only.hd95_mm == 2 * step
    assert only.assd_mm == pytest.approx(1.5 * step, rel=1e-12)
    assert only.nsd_1mm == (0.5 if step == 1 else 0)
    assert only.nsd_2mm == (1 if step == 1 else 0.5 if step == 2 else 0)


def test_surface_scores_weigh_both_surfaces_by_area():
    # Spacing (2, 8, 6): a corner's triangle has the area
    # sqrt(48^2 + 12^2 + 16^2) / 8 = 52 / 8 = 6.5; a long edge's rectangle, along
    # axis 0, 2 * sqrt(4^2 + 3^2) = 10.
    # One voxel: 8 corners, 52 mm2, all on the other surface.
    # Two in a row: 8 corners and 4 edges, 92 mm2; the far 4 corners, 26 mm2, are
    # one step of 2 mm away, the others lie on the other surface.
    reference = label_map((1, 1, 1))
    prediction = label_map((1, 1, 1), (2, 1, 1))

    (only,) = score(prediction, reference, spacing=(2, 8, 6))

    assert only.assd_mm == pytest.approx(2 * 26 / 144, rel=1e-12)
    assert only.nsd_1mm == pytest.approx(118 / 144, rel=1e-12)
    assert only.nsd_2mm == 1
    assert only.hd95_mm == 2  # 26 of 92 is more than 5 %


def test_hausdorff_leaves_out_the_last_five_percent():
    # A bar of 40 voxels has 52 + 39 * 40 = 1,612 mm2 of surface (areas as above);
    # one voxel too long puts 26 of 1,652 mm2, 1.6 %, a step away.
    reference = np.zeros((50, 3, 4), dtype=np.uint8)
    reference[2:42, 1, 1] = 1
    prediction = reference.copy()
    prediction[42, 1, 1] = 1

    (only,) = score(prediction, reference, spacing=(2, 8, 6))

    assert only.hd95_mm == 0
    assert only.assd_mm == pytest.approx(2 * 26 / (1612 + 1652), rel=1e-12)


def test_class_in_neither_mask_scores_one_and_has_no_distance():
    (only,) = score(label_map(), label_map())

    assert only.empty == "both"
    assert (only.dice, only.iou) == (1, 1)
    assert (only.hd95_mm, only.assd_mm, only.nsd_1mm, only.nsd_2mm) == (None,) * 4
    assert (only.prediction_ml, only.reference_ml, only.volume_error_ml) == (0, 0, 0)


@pytest.mark.parametrize(
    ("prediction", "reference", "empty", "error_ml"),
    [
        (label_map(), label_map((1, 2, 3)), "prediction", -0.006),
        (label_map((1, 2, 3)), label_map(), "reference", 0.006),
    ],
)
def test_class_in_one_mask_scores_zero_and_the_whole_diagonal(
    prediction, reference, empty, error_ml
):
    (only,) = score(prediction, reference)

    assert only.empty == empty
    assert (only.dice, only.iou, only.nsd_1mm, only.nsd_2mm) == (0, 0, 0, 0)
    assert only.hd95_mm == pytest.approx(DIAGONAL, rel=1e-12)
    assert only.assd_mm == pytest.approx(DIAGONAL, rel=1e-12)
    assert only.volume_error_ml == pytest.approx(error_ml, rel=1e-12)


@pytest.mark.parametrize(
    "array", [label_map((0, 0, 0)), label_map((4, 5, 6)), np.ones(SHAPE, np.uint8)]
)
def test_equal_masks_are_perfect_on_the_border_and_when_full(array):
    (only,) = score(array, array)

    assert (only.dice, only.iou, only.nsd_1mm, only.nsd_2mm) == (1, 1, 1, 1)
    assert (only.hd95_mm, only.assd_mm, only.volume_error_ml) == (0, 0, 0)


def test_masks_on_opposite_borders_are_measured_in_full():
    (only,) = score(
        label_map((0, 0, 6), shape=(1, 1, 7)), label_map((0, 0, 0), shape=(1, 1, 7))
    )

    # Corners at 0 and 1 against 6 and 7, along the axis of 1 mm: half of them 6 mm
    # from the nearest of the other surface, half 5 mm.
    assert only.hd95_mm == 6
    assert only.assd_mm == pytest.approx(5.5, rel=1e-12)


def test_scores_are_the_same_with_and_without_the_crop():
    rng = np.random.default_rng(3)
    prediction, reference = np.zeros((2, 20, 15, 30), dtype=np.uint8)
    prediction[3:9, 5:9, 7:12] = rng.random((6, 4, 5)) < 0.6
    reference[4:10, 4:9, 8:15] = rng.random((6, 5, 7)) < 0.6

    (cropped,) = score(prediction, reference)

    whole = score_masks(
        prediction == 1,
        reference == 1,
        steps=np.diag(SPACING),
        voxel_volume=6.0,
        diagonal=DIAGONAL,
    )
    assert {name: getattr(cropped, name) for name in whole} == whole


@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_outside_oracles(seed):
    prediction, reference = blobs(seed)

    (only,) = score(prediction, reference)

    flat = (prediction.ravel() > 0, reference.ravel() > 0)
    assert only.dice == pytest.approx(1 - distance.dice(*flat), rel=1e-12)
    assert only.iou == pytest.approx(1 - distance.jaccard(*flat), rel=1e-12)
    surfaces = surface_distance.compute_surface_distances(
        reference > 0, prediction > 0, SPACING
    )
    assert only.hd95_mm == surface_distance.compute_robust_hausdorff(surfaces, 95)


@pytest.mark.parametrize("seed", range(3))
def test_scores_obey_their_laws(seed):
    prediction, reference = blobs(seed)

    (there,) = score(prediction, reference)
    (back,) = score(reference, prediction)

    assert there.dice == pytest.approx(2 * there.iou / (1 + there.iou), rel=1e-12)
    assert there.volume_error_ml == -back.volume_error_ml
    for name in ("dice", "iou", "hd95_mm", "assd_mm", "nsd_1mm", "nsd_2mm"):
        assert getattr(there, name) == pytest.approx(getattr(back, name), rel=1e-12)


def test_every_foreground_class_is_scored_apart():
    # The disc lies inside the vertebra's box, beside a voxel of it.
    vertebra = label_map((1, 1, 1), (1, 1, 2), (3, 4, 4))
    prediction = vertebra + label_map((2, 2, 2), value=2)
    reference = vertebra + label_map((2, 2, 3), value=2)
    names = ("background", "vertebra", "disc", "sacrum")

    scores = score(prediction, reference, class_names=names)

    assert [entry.class_name for entry in scores] == ["vertebra", "disc", "sacrum"]
    assert [entry.dice for entry in scores] == [1, 0, 1]
    assert [entry.empty for entry in scores] == ["", "", "both"]


def test_unlike_shapes_are_refused_with_both():
    with pytest.raises(
        DataError, match=r"case-1.*prediction \(5, 6, 7\), reference \(5, 6, 8\)"
    ):
        score(label_map(), label_map(shape=(5, 6, 8)))


def test_unknown_class_is_refused():
    with pytest.raises(DataError, match=r"reference of case 'case-1'.*from 0 to 4"):
        score(label_map(), label_map((1, 1, 1), value=4))


def test_probabilities_are_refused():
    with pytest.raises(TypeError, match=r"prediction must hold integer.*float32"):
        score(label_map().astype(np.float32), label_map())


def test_masks_on_another_grid_are_refused():
    grid = Grid((5, 6, 8), affine_from(SPACING))

    with pytest.raises(ValueError, match=r"\(5, 6, 7\) on a grid of \(5, 6, 8\)"):
        score_case(label_map(), label_map(), grid=grid, class_names=CLASSES)


def test_volumes_and_the_diagonal_of_a_slanted_grid_are_the_patient_s():
    # Steps (3, 0, 0), (0, 2, 0), (0, 3, 4): a voxel has 3 * 2 * 4 = 24 mm3, where
    # the product of the spacings, 3 * 2 * 5, would be 30.
    affine = np.diag([3.0, 2, 4, 1])
    affine[1, 2] = 3
    grid = Grid(SHAPE, affine)

    (only,) = score_case(
        label_map((1, 2, 3)), label_map(), grid=grid, class_names=CLASSES
    )

    assert only.prediction_ml == pytest.approx(0.024, rel=1e-12)
    # The longest diagonal: 5 * (3, 0, 0) + 6 * (0, 2, 0) + 7 * (0, 3, 4).
    assert only.hd95_mm == pytest.approx((15**2 + 33**2 + 28**2) ** 0.5, rel=1e-12)
    assert only.nsd_2mm == 0


def test_void_voxels_count_in_neither_mask():
    prediction = label_map((1, 1, 1), (1, 1, 2), (3, 4, 5))
    reference = label_map((1, 1, 1), (3, 4, 5), (3, 4, 6))
    void = label_map((3, 4, 5), (3, 4, 6)).astype(bool)

    (only,) = score_case(
        prediction,
        reference,
        grid=Grid(SHAPE, affine_from(SPACING)),
        class_names=CLASSES,
        void=void,
    )

    # Two voxels of 0.006 ml against one of them.
    assert only.dice == 2 * 1 / (2 + 1)
    assert (only.prediction_ml, only.reference_ml) == pytest.approx((0.012, 0.006))
    # Corners at 0 and 1 mm are shared, those at 2 mm are 1 mm away.
    assert only.hd95_mm == 1


def test_larger_outline_of_an_ignored_vertebra_is_no_distance_to_the_next():
    reference = np.zeros((12, 12, 40), np.uint8)
    reference[4:8, 4:8, 4:8] = 1
    prediction = reference.copy()
    prediction[3:9, 3:9, 27:33] = 1
    reference[4:8, 4:8, 28:32] = IGNORED
    classes, ignored = split_ignored(reference)

    def score_without(void):
        grid = Grid(classes.shape, affine_from((1.0, 1.0, 1.0)))
        (only,) = score_case(
            prediction, classes, grid=grid, class_names=CLASSES, void=void
        )
        return only

    near = score_without(find_void(reference, (1.0, 1.0, 1.0)))
    assert (near.dice, near.hd95_mm) == (1, 0)
    # Without its neighbourhood a shell of 6**3 - 4**3 voxels is left, 19 mm away.
    shell = score_without(ignored)
    assert shell.dice == 2 * 64 / (64 + 64 + 152)
    assert shell.hd95_mm > 19
