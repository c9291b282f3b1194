"""The processes that train one network together, each on a device of its own."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from system.errors import DataError, UsageError
from system.group_place import ALONE, GroupPlace
from system.rendezvous import cannot_listen, wait_for_all

JOIN_SECONDS = 300  # for the slowest process to start
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class ProcessGroup:
    """The processes of one training; they exchange nothing but sums.

    Must be created before TensorFlow computes anything. It waits until all processes
    have joined.

    Args:
        place: Of this process among them.
    """

    def __init__(self, place: GroupPlace = ALONE):
        self.rank, self.size = place.rank, place.size
        self._strategy = None
        if place.size > 1:
            use_one_gpu(place)
            _announce(place)
            wait_for_all(place, JOIN_SECONDS)
            with _end_if_waiting(), _own_sigterm():
                self._strategy = _join(place)

    def total(self, tensors: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        """Return the sum of each tensor over the processes, in one message.

        Alone, each tensor is its own sum. All processes must call it in the same
        order, in functions of TensorFlow.

        Args:
            tensors: Of any shapes and of one type.
        """
        if self._strategy is None:
            return tensors
        packed = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
        packed = self._strategy.run(_all_reduce, (packed,))
        packed = self._strategy.experimental_local_results(packed)[0]
        parts = tf.split(packed, [tensor.shape.num_elements() for tensor in tensors])
        return [
            tf.reshape(part, tensor.shape)
            for part, tensor in zip(parts, tensors, strict=True)
        ]

    def sum(self, values: Sequence[float]) -> np.ndarray:
        """Return the sum of each number over the processes, float64."""
        numbers = np.array(values, np.float64)
        if self._strategy is None:
            return numbers
        return self._sum(tf.constant(numbers)).numpy()

    @tf.function(autograph=False)
    def _sum(self, numbers: tf.Tensor) -> tf.Tensor:
        return self.total([numbers])[0]

    def of_first(self, value: float) -> float:
        """Return the value of the first process, which decides for all."""
        return float(self.sum([0.0 if self.rank else value])[0])

    def check_same(self, number: int, what: str) -> None:
        """Check that a number is the same in all processes.

        Args:
            number: Below 2 ** 32, so that its sum is exact.
            what: It stands for, for the message.

        Raises:
            DataError: If it is not; raised by each process that differs from the mean.
        """
        if self.sum([number])[0] != self.size * number:
            raise DataError(
                f"All {self.size} processes must have the same {what}. Received: "
                f"another in process {self.rank} than in the others. Do all hosts see "
                "the same disk? On unlike graphics cards give --batch-size, "
                "--patch-size and --no-mixed-precision."
            )

    def meet(self) -> None:
        """Wait until all processes call it."""
        with self.report_lost():
            self.sum([0.0])

    def part_of(self, batch_size: int) -> range:
        """Return the indices of a batch that this process takes; see `part_of`."""
        return part_of(batch_size, self.rank, self.size)

    @contextmanager
    def report_lost(self) -> Iterator[None]:
        """Raise DataError where the block fails because another process has ended."""
        try:
            yield
        except LOST as error:
            if self.size == 1:
                raise
            raise DataError(
                f"Another of the {self.size} processes ended, or cannot be reached; "
                f"process {self.rank} ends too. --resume resumes the training."
            ) from error


def part_of(batch_size: int, rank: int, size: int) -> range:
    """Return the indices of a batch that one of several processes takes.

    The parts are as equal as possible, and in order.

    Raises:
        UsageError: If there are more processes than patches.
    """
    if batch_size < size:
        raise UsageError(
            f"--batch-size must be at least the number of processes, {size}, each of "
            f"which takes its part of the batch. Received: {batch_size}. Start at most "
            f"{batch_size} processes; a new run may have a larger batch."
        )
    return range(batch_size * rank // size, batch_size * (rank + 1) // size)


def _all_reduce(packed: tf.Tensor) -> tf.Tensor:
    # Without the copy: "destinations can not be empty".
    packed = tf.identity(packed)
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, packed)


def _join(place: GroupPlace) -> tf.distribute.Strategy:
    """Wait for the other processes.

    Raises:
        DataError: If TensorFlow cannot listen at this process's address.
    """
    cluster = tf.train.ClusterSpec({"worker": list(place.addresses)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        cluster,
        task_type="worker",
        task_id=place.rank,
        # Without their number, GPUs would exchange sums through the CPUs.
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except tf.errors.OpError as error:
        raise cannot_listen(place, error.message.splitlines()[0]) from error


def _announce(place: GroupPlace) -> None:
    print(
        f"Process {place.rank} waits for all of {', '.join(place.addresses)}, and ends "
        f"with code {DataError.exit_code} after {JOIN_SECONDS:g} seconds.",
        file=sys.stderr if place.rank else sys.stdout,
        flush=True,
    )


@contextmanager
def _end_if_waiting() -> Iterator[None]:
    """End this process with code 1 if the block takes longer than `JOIN_SECONDS`.

    All have started, so that it takes seconds. If one is killed just then, TensorFlow
    waits for it without letting Python run: only a thread outside of Python can end
    that.
    """
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(JOIN_SECONDS, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Restore what SIGTERM does, which TensorFlow's cluster would ignore."""
    former = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def use_one_gpu(place: GroupPlace) -> None:
    """Hide all GPUs but this process's own, if it sees several.

    Raises:
        UsageError: If there are more processes on this host than GPUs.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) < 2:
        return
    if place.num_local > len(gpus):
        raise UsageError(
            "There must be a GPU for each process. Received: "
            f"{place.num_local} processes on this host, and {len(gpus)} GPUs"
        )
    tf.config.set_visible_devices(gpus[place.local_rank], "GPU")
