from dataclasses import replace

from models.metadata import ModelMetadata

METADATA = ModelMetadata(
    model="unet3d",
    spacing=(2.0, 1.0, 0.5),
    patch_size=(4, 8, 16),
    class_names=("background", "L1", "L2", "sacrum"),
    label_values=((), (20,), (21,), (26,)),
    intensity=("window", -200.0, 1000.0),
    architecture={"depth": 1},
    cube_checksum="abc",
)


def test_classes_of_one_value_keep_it():
    segments = METADATA.segments()

    assert [(each.value, each.name) for each in segments] == [
        (20, "L1"),
        (21, "L2"),
        (26, "sacrum"),
    ]
    assert len({each.color for each in segments}) == 3


def test_classes_are_numbered_where_one_was_merged():
    merged = replace(METADATA, label_values=((), (20,), (21, 22), (26,)))

    assert [each.value for each in merged.segments()] == [1, 2, 3]


def test_classes_are_numbered_where_two_have_one_value_or_none():
    equal = replace(METADATA, label_values=((), (20,), (21,), (21,)))
    without = replace(METADATA, label_values=((), (20,), (), (26,)))

    assert [each.value for each in equal.segments()] == [1, 2, 3]
    assert [each.value for each in without.segments()] == [1, 2, 3]


def test_older_network_knows_its_classes_by_their_values():
    binary = replace(
        METADATA, class_names=("background", "spine"), label_values=((), (20, 21))
    )

    assert METADATA.classes.members == ((), (20,), (21,), (26,))
    assert binary.classes.members == ((), None)
