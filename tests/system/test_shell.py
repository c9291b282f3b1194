import os
import subprocess
import sys

import pytest
from support.places import ROOT

from system.errors import DataError, UsageError
from system.shell import script

CALLS = [  # each names a file that is not there
    ("makeCube.py", "none.txt"),
    ("checkCube.py", "none.h5"),
    ("train.py", "none.h5"),
    ("predict.py", "none.nrrd", "--model", "none.keras"),
    ("compareRuns.py", "none"),
    ("labelVertebrae.py", "none.nrrd"),
]


def raising(error: BaseException):
    """Build a script that raises an error."""

    @script
    def main() -> int:
        raise error

    return main


def test_the_exit_code_is_the_functions_own():
    assert script(lambda code: code)(3) == 3


@pytest.mark.parametrize("error", [DataError("bad"), UsageError("wrong")])
def test_a_data_error_is_one_sentence_and_its_code(error, capsys):
    assert raising(error)() == error.exit_code
    assert capsys.readouterr().err == f"{error}\n"


def test_ctrl_c_is_one_word(capsys):
    assert raising(KeyboardInterrupt())() == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_another_broken_pipe_than_the_outputs_is_not_hidden():
    with pytest.raises(BrokenPipeError, match="a worker"):
        raising(BrokenPipeError("a worker"))()


def call_unread(*command: str, unread: str) -> tuple[int, bytes]:
    """Run Python with a broken output pipe; return the code and the other output."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, unread: writer}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=False, timeout=60, **streams
    )
    os.close(writer)
    return done.returncode, (done.stdout or b"") + (done.stderr or b"")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_went_away_ends_a_script_in_silence(buffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    code = "from system.shell import script; import sys; "
    code += "sys.exit(script(lambda: print('a cube') or 0)())"
    assert call_unread("-c", code, unread="stdout") == (141, b"")


def test_nobody_reading_the_messages_is_no_traceback_either():
    code = "import sys; sys.path.append('tests'); "
    code += "from tests.system.test_shell import raising, DataError; "
    code += "sys.exit(raising(DataError('bad'))())"
    assert call_unread("-c", code, unread="stderr") == (141, b"")


def test_closed_output_and_odd_letters_are_no_harm():
    code = "from system.shell import script; import sys; "
    printing = code + "sys.exit(script(lambda: print('Gr\\xf6\\udcffe') or 0)())"
    closed = code + "sys.stdout = None; sys.exit(script(lambda: 0)())"
    options = {
        "cwd": ROOT,
        "env": {"PYTHONIOENCODING": "ascii"},
        "capture_output": True,
    }

    printed = subprocess.run([sys.executable, "-c", printing], check=True, **options)

    assert printed.stdout == b"Gr\\xf6\\udcffe\n"
    subprocess.run([sys.executable, "-c", closed], check=True, **options)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_every_script_ends_so(call, tmp_path):
    output = str(tmp_path / "out")
    code, told = call_unread(*call, "--output", output, unread="stderr")
    assert (code, told.decode().splitlines()[1:]) == (141, [])
