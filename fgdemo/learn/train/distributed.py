"""One training in several processes, started by `torchrun`: each takes its part of every batch.

Synchronous data parallelism as in DistributedDataParallel (Li 2020), but the gradients are added up once, after the
whole part of a batch. So a process that runs out of memory can go back and take fewer pictures at a time while the
others wait, parts of different sizes weigh what they should, and n processes do what one does.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.distributed_c10d import get_node_local_rank

from fgdemo.learn.train.run_file import Stateful
from fgdemo.values.errors import DatasetError


@dataclass(frozen=True)
class World:
    """This process among `size` that train the same network. Without others every method does nothing."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one writes files and speaks to a person."""
        return self.rank == 0

    def require_batch(self, batch_size: int) -> None:
        """Raise DatasetError where a process would have nothing to do."""
        if batch_size < self.size:
            raise DatasetError(f"A batch of {batch_size} cannot be shared by {self.size} processes: start fewer.")

    def part(self, count: int) -> slice:
        """What this process takes of `count` pictures; parts differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def total(self, value: float) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.float64, device=_device())
        distributed.all_reduce(box)
        return float(box)

    def any(self, answer: bool) -> bool:
        """Whether it is true in any process, so that all stop after the same batch."""
        return self.total(float(answer)) > 0

    def add_gradients(self, module: nn.Module, share: float) -> None:
        """Set every gradient to the sum over all processes, each times its `share` in [0, 1] of the batch.

        A parameter that no process used keeps none, as in one process: an optimizer passes it over.
        """
        if self.size == 1:
            return
        trained = [p for p in module.parameters() if p.requires_grad]
        used = torch.tensor([float(p.grad is not None) for p in trained], device=trained[0].device)
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad * share for p in trained]
        flat = torch.cat([used, *(piece.flatten().float() for piece in pieces)])
        distributed.all_reduce(flat)
        used, *sums = flat.split([len(trained), *(p.numel() for p in trained)])
        for parameter, count, found in zip(trained, used.tolist(), sums, strict=True):
            parameter.grad = found.view_as(parameter).to(parameter) if count else None

    def same(self, history: Sequence[dict[str, Any]], run: Mapping[str, Stateful]) -> list[dict[str, Any]]:
        """Put `run` into the state that it has in the leading process, and return that one's `history`."""
        if self.size == 1:
            return list(history)
        file = io.BytesIO()
        if self.leads:
            torch.save({"history": list(history), **{name: one.state_dict() for name, one in run.items()}}, file)
        box: list[Any] = [file.getvalue()]
        distributed.broadcast_object_list(box, src=0)
        if self.leads:
            return list(history)
        state = torch.load(io.BytesIO(box[0]), map_location="cpu", weights_only=True)
        for name, one in run.items():
            one.load_state_dict(state[name])
        return list(state["history"])


ALONE = World()


@contextmanager
def joined(device: str) -> Iterator[tuple[World, str]]:
    """The processes that `torchrun` started, and the device of this one; `ALONE` where it did not."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield ALONE, device
        return
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{get_node_local_rank(0)}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()


def _device() -> torch.device:
    """Where the processes' numbers meet: NCCL knows nothing but GPUs."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
