import os
import signal
import subprocess
import sys
from threading import Thread

import pytest
from support.places import ROOT

from system.processes import run_in_process
from system.shell import script
from system.termination import Terminated, raise_on_sigterm


def stop():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def as_by_default():
    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, former)
    signal.signal(signal.SIGINT, interrupt)


def test_sigterm_is_one_sentence_and_143_after_cleaning_up(capsys):
    cleaned = []

    @script
    def main():
        try:
            stop()
        finally:
            cleaned.append(1)

    assert main() == 143
    assert cleaned == [1]
    assert capsys.readouterr().err == "Stopped by SIGTERM.\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_sigterm_is_handled_wherever_ctrl_c_is():
    with pytest.raises(KeyboardInterrupt, match=r"^$") as found, raise_on_sigterm():
        stop()
    assert found.type is Terminated


def test_second_sigterm_kills():
    code = "import os; from system.termination import raise_on_sigterm\n"
    code += "with raise_on_sigterm():\n"
    code += "    try: os.kill(os.getpid(), 15)\n"
    code += "    except KeyboardInterrupt: print('cleans', flush=True)\n"
    code += "    os.kill(os.getpid(), 15)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)

    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, b"cleans\n")


def test_ignored_sigterm_stays_ignored():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with raise_on_sigterm():
        stop()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_other_threads_leave_it_as_it_is():
    seen = []

    def enter():
        with raise_on_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def tell_parent_to_stop(path, signals):
    """Stop the parent alone, as `kill` does; wait to be ended by it."""
    import time

    path.write_text(str(os.getpid()))
    for number in signals:
        os.kill(os.getppid(), number)
        time.sleep(0.2)
    time.sleep(600)


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
def test_stopped_script_ends_its_process(tmp_path, signals):
    path = tmp_path / "process"

    with pytest.raises(Terminated), raise_on_sigterm():
        run_in_process(tell_parent_to_stop, path, signals)

    with pytest.raises(ProcessLookupError):
        os.kill(int(path.read_text()), 0)
