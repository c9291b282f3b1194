"""A full disk ends a script in one sentence, and no file is lost."""

import gc
import re
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from PIL import Image
from support.disks import room_for
from support.scans import FLAGS, GRID, beside_the_scans, build, write_scans
from support.small_runs import TINY, write_scan

import predict
import train
from evaluation.curves import draw_curves
from evaluation.score_file import write_scores
from evaluation.scores import Score
from models.averaging import WeightAverage
from models.checkpoint import save_checkpoint
from models.logs import TensorBoardLog
from models.model_file import load_model, save_model
from models.training_loop import HISTORY_COLUMNS, TrainingProgress, write_history
from models.unet import Block
from runs import labelling
from runs.architecture import draw_architecture
from runs.folder import write_json
from system.atomic import atomic_write
from system.errors import OutputError
from volumes.formats.files import write_image, write_label_map
from volumes.volume import Volume

PRECIOUS = b"precious"


def compiled_model():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64)])
    model.compile("adam", "mse")
    return model


def a_history():
    return [dict.fromkeys(HISTORY_COLUMNS, 0.123456789) for _ in range(20)]


def a_label_map(path):
    noise = np.random.default_rng(0).integers(0, 9, GRID.shape)
    scan = Volume(array=noise, grid=GRID, path=path)
    write_label_map(path, noise, like=scan)


def an_image(path):
    noise = np.random.default_rng(0).normal(size=GRID.shape)
    write_image(path, noise, GRID)


def a_picture(path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    with atomic_write(path) as partial:
        Image.fromarray(noise).save(partial)


def scores():
    numbers = {name: 0.5 for name in Score.__dataclass_fields__}
    score = Score(**{**numbers, "case_id": "ann", "class_name": "L1", "empty": ""})
    return [replace(score, case_id=f"case {number}") for number in range(20)]


WRITERS = {
    "config.json": lambda path: write_json(path, {"arguments": ["word"] * 100}),
    "history.csv": lambda path: write_history(path, a_history()),
    "scores.csv": lambda path: write_scores(path, scores()),
    "curves.png": lambda path: draw_curves({"UNet-2D": a_history()}, path),
    "architecture.png": lambda path: draw_architecture(
        [
            Block("input", 1, (8, 8)),
            Block("bottom", 4, (4, 4)),
            Block("end", 2, (8, 8)),
        ],
        "UNet-2D",
        "No level.",
        path,
    ),
    "model.keras": lambda path: save_model(path, compiled_model(), None),
    "state.npz": lambda path: save_checkpoint(
        path.parent,
        compiled_model(),
        WeightAverage(compiled_model(), 0.9),
        TrainingProgress(),
        {},
    ),
    "a_label.seg.nrrd": a_label_map,
    "a_label.nii.gz": a_label_map,
    "image.nrrd": an_image,
    "overlay.png": a_picture,
}


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_leaves_the_file_that_was_there(tmp_path, name):
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / name
    path.write_bytes(PRECIOUS)

    message = f"^{re.escape(str(path))}: could not be written: File too large$"
    with room_for(100), pytest.raises(OutputError, match=message):
        WRITERS[name](path)

    assert path.read_bytes() == PRECIOUS
    assert list(path.parent.iterdir()) == [path]
    gc.collect()  # nothing warns later


@pytest.mark.parametrize("room", [0, 12_000, 40_000, 43_000])
def test_full_disk_ends_a_build_in_one_sentence(tmp_path, capsys, room):
    scans = write_scans(tmp_path)
    h5py.File(scans / "cube.h5", "w").close()
    before = (scans / "cube.h5").read_bytes()

    with room_for(room):
        code = build(scans, *FLAGS, "--force")

    *kept, error = capsys.readouterr().err.splitlines()
    assert code == 1
    assert error.endswith("could not be written: File too large")
    assert (scans / "cube.h5").read_bytes() == before
    parts = scans / "cube.h5.parts"
    assert not list(parts.glob(".*"))
    if kept:
        assert kept[0].startswith("Finished cases kept in")
    else:
        assert beside_the_scans(scans) == ["cube.h5"]
    assert build(scans, *FLAGS, "--force", "--resume") == 0
    assert beside_the_scans(scans) == ["cube.h5"]


@pytest.mark.slow
def test_full_disk_ends_a_training_in_one_sentence(small_cube, tmp_path, capsys):
    run = tmp_path / "run"
    flags = [str(small_cube), "--output", str(run), "--model", "unet2d", *TINY]

    with room_for(30_000):  # enough for config.json, and for no checkpoint
        code = train.main([*flags, "--epochs", "1"])

    assert code == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(str(run))
    assert error.endswith("could not be written: File too large")
    assert not [path for path in run.rglob(".*") if path.is_file()]


def test_full_disk_is_reported_for_the_logs_too(tmp_path):
    def write():
        log = TensorBoardLog(tmp_path)
        for epoch in range(5):
            log.write({"epoch": epoch, "loss": 0.5})

    with room_for(150), pytest.raises(OutputError, match=r"written: .*File too large"):
        write()


def test_full_disk_ends_a_prediction_and_leaves_the_label_map_that_was_there(
    small_run, tmp_path, capsys, monkeypatch
):
    def write_on_a_full_disk(*args, **kwargs):
        with room_for(100):
            write_label_map(*args, **kwargs)

    scan = write_scan(tmp_path, "eve", seed=9)[0]
    label = tmp_path / "labels" / f"{tmp_path.name}_eve_label.seg.nrrd"
    label.parent.mkdir()
    label.write_bytes(PRECIOUS)
    flags = ["--model", str(small_run / "model.keras"), "--output", str(label.parent)]
    # Loading a network needs room too, for what Keras unpacks.
    monkeypatch.setattr(labelling, "write_label_map", write_on_a_full_disk)

    code = predict.main([str(scan), *flags, "--force"])

    assert code == 1
    error = capsys.readouterr().err
    assert f"{label}: could not be written: File too large" in error
    assert label.read_bytes() == PRECIOUS
    assert list(label.parent.iterdir()) == [label]


def test_trained_network_is_intact_after_a_failed_write(small_run, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes((small_run / "model.keras").read_bytes())
    network, metadata = load_model(path)

    with room_for(3000), pytest.raises(OutputError, match="could not be written"):
        save_model(path, network, metadata)

    load_model(path)
