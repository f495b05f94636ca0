"""The one place that knows ZeroGPU: Spaces that lend a GPU for the length of one function call.

The package `spaces` forks a worker for a function that it decorates, and sends arguments and result through pickles; a
worker that is still there is used again. So the function is pure: pixels in, tokens out, and the weights are those it
was made with. Each model has its own function, and thus its own workers: none answers with the weights of another.
Nothing is compiled, and nothing that a worker changes is relied on. Head, parts and maps are arithmetic on the tokens.
"""

import importlib
import threading
from typing import cast

import numpy as np
import torch
from torch import Tensor

from fgdemo.model.backbone import Backbone

LENT = "zerogpu"
"""The name of this device in `FGDEMO_DEVICE`; `auto` means it on such a Space."""
LONGEST_S = 20
"""So much time is asked for, which decides how long a visitor waits in line."""


class LentBackbone(Backbone):
    """A backbone whose forward pass runs on the lent GPU; what goes in and comes out is on the CPU.

    The weights are kept out of the module, so that `to(…)` leaves them where ZeroGPU wants them: on `cuda`, from the
    start of the program on. Its emulation of `cuda` holds in the main thread only; a model that goes live later is
    moved by its worker.
    """

    def __init__(self, backbone: Backbone) -> None:
        spaces = importlib.import_module("spaces")  # before anything is moved: it is what emulates `cuda` here
        torch.nn.Module.__init__(self)
        self.spec, self.grid, self.dim, self.mid_dim = backbone.spec, backbone.grid, backbone.dim, backbone.mid_dim
        weights = backbone.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if threading.current_thread() is threading.main_thread():
            weights = weights.to("cuda")

        def tokens_of(pixels: np.ndarray, with_mid: bool) -> tuple[np.ndarray, ...]:
            on_gpu = weights.to("cuda")
            batch = torch.from_numpy(pixels).to("cuda").contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                found = on_gpu.with_mid(batch) if with_mid else (cast(Tensor, on_gpu(batch)),)
                return tuple(one.float().cpu().numpy() for one in found)

        self._tokens_of = spaces.GPU(duration=LONGEST_S)(tokens_of)

    @property
    def pass_size(self) -> int:
        """Every pass waits in line for a GPU."""
        return 64

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.from_numpy(self._tokens_of(pixels.cpu().contiguous().numpy(), False)[0])

    def with_mid(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        tokens, mid = self._tokens_of(pixels.cpu().contiguous().numpy(), True)
        return torch.from_numpy(tokens), torch.from_numpy(mid)
