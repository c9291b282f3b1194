import logging
import os
import subprocess
import sys

import pytest
from support.places import ROOT

from models.quiet import hide_retracing, suppress_stderr


def test_messages_of_a_library_are_hidden(capfd):
    with suppress_stderr():
        os.write(2, b"E0000 failed call to cuInit\n")
    os.write(2, b"afterwards\n")

    assert capfd.readouterr().err == "afterwards\n"


def test_messages_are_shown_when_the_block_fails(capfd):
    def import_library():
        with suppress_stderr():
            os.write(2, b"E0000 cannot dlopen\n")
            raise ImportError("libcuda")

    with pytest.raises(ImportError, match="libcuda"):
        import_library()

    assert capfd.readouterr().err == "E0000 cannot dlopen\n"


def test_everything_is_shown_on_request(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")

    with suppress_stderr():
        os.write(2, b"I0000 oneDNN\n")

    assert capfd.readouterr().err == "I0000 oneDNN\n"


def test_only_the_warning_of_many_shapes_is_hidden(caplog):
    hide_retracing()  # again, as models has done so
    logger = logging.getLogger("tensorflow")

    logger.warning("%d out of the last 5 calls triggered tf.function retracing.", 5)
    logger.warning("Out of luck.")

    assert caplog.messages == ["Out of luck."]


def test_building_and_checking_a_cube_need_no_tensorflow():
    code = (
        "import makeCube, checkCube, cube.plan, cube.checks, sys\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
