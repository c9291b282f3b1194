import pytest

from runs.model_paths import find_models
from system.errors import DataError


def test_run_folder_stands_for_its_model_or_for_those_of_both_networks(tmp_path):
    one, both = tmp_path / "one", tmp_path / "both"
    models = [
        one / "model.keras",
        both / "unet2d" / "model.keras",
        both / "unet3d" / "model.keras",
    ]
    for model in models:
        model.parent.mkdir(parents=True)
        model.touch()

    assert find_models([one, both]) == models
    assert find_models([models[2], one]) == [models[2], models[0]]


def test_another_file_than_a_model_is_refused_with_the_order(tmp_path):
    scan = tmp_path / "scan.nrrd"
    scan.write_bytes(b"NRRD0004")

    with pytest.raises(DataError, match=r"scan\.nrrd must be a model\.keras .*file$"):
        find_models([scan])
    with pytest.raises(DataError, match="another file; scans must come before the mo"):
        find_models([scan], first="scans")


def test_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "unet2d").mkdir()

    with pytest.raises(DataError, match=r"no such model. It must be a model\.keras or"):
        find_models([tmp_path])
