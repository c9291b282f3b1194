import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.places import ROOT
from support.scans import hear_interrupts

from models import process_group
from models.process_group import ProcessGroup, part_of, use_one_gpu
from models.training_step import dropout_generators, separate_dropout
from system.errors import DataError, UsageError
from system.group_place import GroupPlace
from system.launcher import free_ports

PLACE = GroupPlace(1, ("a:1", "a:2", "b:1"))


@pytest.mark.parametrize(
    ("batch_size", "parts"),
    [
        (3, [range(0, 1), range(1, 2), range(2, 3)]),
        (7, [range(0, 2), range(2, 4), range(4, 7)]),
    ],
)
def test_parts_make_up_the_batch_in_order(batch_size, parts):
    assert [part_of(batch_size, rank, 3) for rank in range(3)] == parts


def test_fewer_patches_than_processes_are_refused():
    with pytest.raises(
        UsageError,
        match=r"--batch-size must be at least.* 3, .*Received: 2\. Start at most 2 pr",
    ):
        part_of(2, 0, 3)


def test_alone_everything_is_its_own_sum():
    group, tensor = ProcessGroup(), tf.constant([1.5, 2.5])

    assert group.total([tensor])[0] is tensor
    np.testing.assert_array_equal(group.sum([1e9 + 0.5, 2]), [1e9 + 0.5, 2])
    assert group.of_first(0.1) == 0.1
    assert group.part_of(5) == range(5)
    group.check_same(7, "cube")
    group.meet()


def test_difference_between_processes_is_refused(monkeypatch):
    group = ProcessGroup()
    group.size, group.rank = 2, 1
    monkeypatch.setattr(group, "sum", lambda values: np.array([5 + values[0]]))

    group.check_same(5, "cube")
    with pytest.raises(
        DataError, match=r"2 processes must have the same cube.*--no-mixed"
    ):
        group.check_same(6, "cube")


def test_end_of_another_process_is_one_sentence():
    group = ProcessGroup()
    lost = tf.errors.UnavailableError(None, None, "Connection reset by peer")

    with (
        pytest.raises(tf.errors.UnavailableError, match="reset by peer"),
        group.report_lost(),
    ):
        raise lost  # alone it means something else
    group.size = 2
    with (
        pytest.raises(DataError, match=r"Another of the 2 processes.*0 ends too\. --r"),
        group.report_lost(),
    ):
        raise lost


@pytest.mark.parametrize(("num_gpus", "visible"), [(0, None), (1, None), (4, 1)])
def test_process_sees_its_own_gpu_only(monkeypatch, num_gpus, visible):
    seen, gpus = [], list(range(num_gpus))
    config = SimpleNamespace(
        list_physical_devices=lambda kind: gpus,
        set_visible_devices=lambda gpu, kind: seen.append(gpu),
    )
    monkeypatch.setattr(process_group.tf, "config", config)

    use_one_gpu(PLACE)

    assert seen == ([] if visible is None else [visible])


def test_more_processes_than_gpus_on_a_host_are_refused(monkeypatch):
    monkeypatch.setattr(
        process_group.tf.config, "list_physical_devices", lambda kind: [0, 1]
    )
    crowded = GroupPlace(0, ("a:1", "a:2", "a:3"))

    with pytest.raises(UsageError, match=r"Received: 3 processes.*, and 2 GPUs"):
        use_one_gpu(crowded)


def test_cluster_knows_the_gpus_so_that_they_exchange_sums(monkeypatch):
    monkeypatch.setattr(
        process_group.tf.config, "get_visible_devices", lambda kind: ["its own"]
    )
    monkeypatch.setattr(
        process_group.tf.distribute,
        "MultiWorkerMirroredStrategy",
        lambda cluster_resolver: cluster_resolver,
    )

    resolver = process_group._join(PLACE)

    assert resolver.num_accelerators() == {"GPU": 1}
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


def test_joining_leaves_sigterm_as_it_was():
    former = signal.getsignal(signal.SIGTERM)

    with process_group._own_sigterm():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    assert signal.getsignal(signal.SIGTERM) == former


JOIN_ALONE = """
import models
from models import process_group
from system.group_place import GroupPlace
from system.shell import script

process_group.JOIN_SECONDS = %d
join = script(process_group.ProcessGroup)
raise SystemExit(join(GroupPlace(0, ("127.0.0.1:%d", "127.0.0.1:1"))))
"""


def join_alone(port):
    """Join as the first of two processes, of which the second never comes."""
    words = [sys.executable, "-c", JOIN_ALONE % (3, port)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_process_that_waits_in_vain_for_the_others_ends_having_said_so():
    (port,) = free_ports(1)

    ended = join_alone(port)

    assert ended.returncode == 1
    assert ended.stdout == (
        f"Process 0 waits for all of 127.0.0.1:{port}, 127.0.0.1:1, and ends with code "
        "1 after 3 seconds.\n"
    )
    assert ended.stderr.endswith(
        "All 2 processes must start within 3 seconds, and reach the first. Received: "
        "nothing from process 1, 127.0.0.1:1.\n"
    )
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_process_that_waits_for_the_others_can_be_stopped(sent):
    words = [sys.executable, "-c", JOIN_ALONE % (600, free_ports(1)[0])]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=-1, stderr=-1, text=True, preexec_fn=hear_interrupts
    ) as process:
        assert process.stdout.readline().startswith("Process 0 waits for all of ")
        process.send_signal(sent)
        _, errors = process.communicate(timeout=300)

    stopped = {signal.SIGTERM: "Stopped by SIGTERM.", signal.SIGINT: "Interrupted."}
    assert errors.splitlines()[-1] == stopped[sent]
    assert process.returncode == 128 + sent


@pytest.mark.slow
def test_taken_port_is_named_in_a_sentence():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ended = join_alone(port)

    assert ended.returncode == 1
    assert f"must be able to listen at 127.0.0.1:{port}, and" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_masks_of_dropout_differ_between_processes_and_continue_those_of_the_first():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5, seed=8)])
    (state,) = dropout_generators(model)
    before = np.array(state)

    for rank in (0, 2):
        state.assign(before)
        separate_dropout(model, SimpleNamespace(rank=rank))
        np.testing.assert_array_equal(state, before + np.array([rank, 0]))
