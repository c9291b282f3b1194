import pytest
from support.scans import SLICER, VERSE, named, unnamed

from cube.class_choice import check_classes, choose_classes, prediction_values
from system.errors import DataError, UsageError
from volumes.classes import Classes


def entries(classes):
    """The classes without the background, as a dictionary."""
    return dict(zip(classes.names[1:], classes.members[1:], strict=True))


def test_binary_is_a_class_of_all_structures(mixed):
    classes = choose_classes(["binary"], mixed)

    assert entries(classes) == {"spine": None}
    # Each file's own values: 1, 2, 3 and 19, 20, 21, 24, 26.
    assert classes.values_in((1, 2, 3), SLICER)[1] == (1, 2, 3)
    assert prediction_values(classes, mixed)[1] == (1, 2, 3, 19, 20, 21, 24, 26)


def test_keep_makes_each_name_a_class_from_the_neck_down(mixed):
    classes = choose_classes(["keep"], [*mixed, named("cid", {7: "aorta"})])

    assert classes.names == (
        *("background", "T12", "L1", "L2", "L5"),
        *("aorta", "sacrum"),
    )
    assert classes.values_in((1, 2, 3), SLICER) == ((), (), (1,), (2,), (), (), (3,))


def test_keep_makes_each_value_a_class_where_none_has_a_name(bare):
    classes = choose_classes(["keep"], bare)

    assert entries(classes) == {"label_20": (20,), "label_21": (21,), "label_24": (24,)}


def test_keep_ignores_names_of_values_that_do_not_occur():
    cases = [named("ann", {1: "L1", 9: "liver"}, found=[1])]

    assert entries(choose_classes(["keep"], cases)) == {"L1": ("L1",)}


def test_keep_is_refused_where_only_some_values_have_names(mixed):
    with pytest.raises(UsageError, match=r"no name for value 5 in cid_label\.nrrd"):
        choose_classes(["keep"], [*mixed, unnamed("cid", 5)])
    with pytest.raises(UsageError, match=r"no name for value 5 in cid_label\.nrrd"):
        choose_classes(["keep"], [*mixed, named("cid", {4: "L1"}, found=[4, 5])])


def test_names_are_mapped_in_each_file(mixed):
    classes = choose_classes(["l_2", "Vertebra L1"], mixed)

    assert entries(classes) == {"L2": ("L2",), "L1": ("L1",)}
    assert classes.values_in((1, 2, 3), SLICER) == ((), (2,), (1,))
    assert classes.values_in((20, 21, 26), VERSE) == ((), (21,), (20,))


def test_group_alone_is_a_class_for_each_level(mixed):
    assert choose_classes(["Lumbar"], mixed).names[1:] == ("L1", "L2", "L3", "L4", "L5")
    # L6 and T13, which most people do not have, only where a scan has them.
    with_l6 = [*mixed, named("cid", {25: "L6"})]
    assert choose_classes(["lumbar"], with_l6).names[1:][-1] == "L6"
    # 7 + 12 + 5 levels.
    words = ["cervical", "thoracic", "lumbar"]
    assert len(choose_classes(words, mixed).names) == 1 + 24


def test_groups_and_names_are_united_under_a_name(mixed):
    words = ["lower=lumbar,sacrum", 'rest="thoracic vertebral column",T12']

    classes = choose_classes(words, mixed)

    assert entries(classes) == {
        "lower": ("L1", "L2", "L3", "L4", "L5", "L6", "sacrum"),
        "rest": ("thoracic vertebral column", "T12"),
    }
    assert classes.values_in((1, 2, 3), SLICER) == ((), (1, 2, 3), ())


def test_name_with_a_comma_or_an_equals_sign_stands_in_quotes(mixed):
    cases = [*mixed, named("cid", {4: "disc, l1=l2"})]

    classes = choose_classes(['a=b="disc, L1=L2",L1'], cases)

    assert entries(classes) == {"a=b": ("disc, l1=l2", "L1")}


def test_group_that_is_a_structure_too_is_refused_alone(mixed):
    cases = [*mixed, named("cid", {4: "lumbar"})]

    with pytest.raises(UsageError, match="--labels lumbar must mean one thing"):
        choose_classes(["lumbar"], cases)
    assert choose_classes(["x=lumbar"], cases).members[1][-1] == "lumbar"


def test_values_are_classes_named_by_the_label_maps_or_the_user(bare):
    cases = [named("ann", {20: "L1"}, found=[20, 21]), *bare]

    assert entries(choose_classes(["24", "20"], cases)) == {
        "label_24": (24,),
        "L1": (20,),
    }
    assert entries(choose_classes(["low=24,21", "x=20"], cases)) == {
        "low": (24, 21),
        "x": (20,),
    }


def test_value_that_means_two_structures_is_refused_with_both_files(mixed):
    cases = [*mixed, named("cid", {1: "T5"})]

    with pytest.raises(
        UsageError,
        match=r"value 1 must mean one .* 'L1' in ann_label\.nrrd, 'T5' in cid_label\."
        r".*--labels L1 L2",
    ):
        choose_classes(["x=1"], cases)
    assert entries(choose_classes(["x=2"], cases)) == {"x": (2,)}


def test_class_by_value_must_not_contradict_a_label_map(mixed):
    # ben calls 20 L1, ann calls 1 so.
    with pytest.raises(UsageError, match=r"ann_label\.nrrd calls value 1 'L1'"):
        choose_classes(["L1=20"], mixed)


def test_names_need_label_maps_with_names(mixed):
    with pytest.raises(
        UsageError,
        match=r"dan_label\.nrrd with values 4, 5 and no names.*--labels L1=4 gives",
    ):
        choose_classes(["L1"], [*mixed, unnamed("dan", 4, 5)])
    # An empty label map needs none.
    assert choose_classes(["L1"], [*mixed, unnamed("dan")]).names[1:] == ("L1",)


@pytest.mark.parametrize("words", [["99"], ["20", "99"], ["99,20"]])
def test_value_without_a_name_must_occur(bare, words):
    with pytest.raises(UsageError, match=r"T11=99\. .*; the label maps hold 20, 21"):
        choose_classes(words, bare)


def test_at_least_one_class_must_occur(mixed):
    with pytest.raises(
        UsageError, match="Received: sacrm; the label maps hold T12, L1, L2, L5, sacrum"
    ):
        choose_classes(["sacrm"], mixed)


@pytest.mark.parametrize(
    "word",
    [
        *("L1=", "=20", "20,", "20,L1", "L1,L2", "0", "-3", "L1=0,20", "70000"),
        *("binary", "keep", 'x="L1', "", " ", "x=keep", "20=,"),
    ],
)
def test_words_that_are_no_classes_are_refused(mixed, word):
    with pytest.raises(UsageError, match=r"--labels takes .* Received: "):
        choose_classes([word, "L2"], mixed)


@pytest.mark.parametrize(
    "words",
    [["L1", "l1"], ["L1", "lumbar"], ["20", "low=20,21"], ["x=L1,L1"], ["x=20,20"]],
)
def test_structures_given_twice_are_refused(mixed, words):
    with pytest.raises(UsageError, match="must be given once"):
        choose_classes(words, mixed)


def test_value_given_by_number_and_by_name_is_refused(mixed):
    with pytest.raises(UsageError, match=r"value 24 of ben_.*, 'L5', by value and by"):
        choose_classes(["x=24", "L5"], mixed)


@pytest.mark.parametrize(
    "words", [["a=L1", "a=L2"], ["L1=L2", "L1"], ["background=L1"]]
)
def test_class_names_given_twice_are_refused(mixed, words):
    with pytest.raises(UsageError, match="with distinct names other than background"):
        choose_classes(words, mixed)


def test_255_classes_fit_into_a_byte_and_256_do_not():
    assert len(choose_classes(["keep"], [unnamed("a", *range(1, 256))]).names) == 256

    with pytest.raises(UsageError, match="at most 255 classes") as error:
        choose_classes(["keep"], [unnamed("a", *range(1, 257))])
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("word", ["binary", "keep", "L1"])
def test_label_maps_without_any_structure_are_refused(word):
    with pytest.raises(DataError, match="at least one value above 0"):
        choose_classes([word], [unnamed("ann")])


def test_classes_of_a_model_are_checked_like_those_of_the_user(mixed, bare):
    by_value = Classes(("background", "T11", "L1"), ((), (18,), (20,)))
    by_name = Classes(("background", "L1"), ((), ("L1",)))

    check_classes(by_value, bare)
    check_classes(by_name, mixed)
    with pytest.raises(UsageError, match="need label maps whose values have names"):
        check_classes(by_name, bare)
    with pytest.raises(UsageError, match=r"ann_label\.nrrd calls value 1 'L1'"):
        check_classes(by_value, mixed)


def test_predictions_have_verse_s_numbers_or_those_of_all_files():
    cases = [named("ann", {1: "L1", 7: "aorta"}), named("ben", {4: "L1", 7: "aorta"})]
    classes = choose_classes(["L1", "T11", "aorta", "sacrum"], cases)

    assert prediction_values(classes, cases) == ((), (20,), (18,), (7,), (26,))
    cases[1] = named("ben", {4: "L1", 8: "aorta"})
    assert prediction_values(classes, cases)[3] == ()
    classes = choose_classes(["x=24,20", "L1=21"], [unnamed("cid", 20, 21)])
    assert prediction_values(classes, [unnamed("cid", 20, 21)]) == ((), (20, 24), (21,))


def test_all_other_structures_are_the_spine_where_some_are_ignored(mixed):
    classes = choose_classes(["binary", "ignore=T12,sacrum"], mixed)

    assert entries(classes) == {"spine": None}
    assert classes.values_in((1, 2, 3), SLICER)[1] == (1, 2)
    assert prediction_values(classes, mixed)[1] == (1, 2, 20, 21, 24)


def test_keep_makes_no_class_of_an_ignored_value_nor_needs_its_name(mixed):
    cases = [*mixed, named("cid", {4: "L1"}, found=[4, 255])]

    assert choose_classes(["keep", "ignore=255"], cases).names == (
        *("background", "T12", "L1", "L2", "L5", "sacrum"),
    )


def test_ignored_structure_may_not_be_in_a_class(mixed, bare):
    with pytest.raises(UsageError, match=r"given once\. Received: 20, 24, 20"):
        choose_classes(["20", "24", "ignore=20"], bare)
    with pytest.raises(UsageError, match=r"value 3 of ann_.*'sacrum', by value and by"):
        choose_classes(["sacrum", "ignore=3"], mixed[:1])
    with pytest.raises(UsageError, match=r"At least one class must occur"):
        choose_classes(["binary", "ignore=20,21,24"], bare)


def test_ignored_voxels_leave_room_for_254_classes():
    case = unnamed("ann", *range(1, 256))

    assert len(choose_classes(["keep"], [case]).names) == 256
    assert len(choose_classes(["keep", "ignore=7"], [case]).names) == 255
    with pytest.raises(UsageError, match="at most 254 classes"):
        choose_classes(["keep", "ignore=999"], [case])
