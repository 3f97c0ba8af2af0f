"""Many dense networks of one shape as one: their weights stacked, their layers batched matrix products.

Replicas know nothing of each other. The gradient of the sum of their losses is, for each, that of its own loss, and
Adam works on every number apart, so that they are trained together as they would be alone, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from surrogate.dense_network import DenseNetwork
from surrogate.settings import DenseSettings
from surrogate.training import make_network
from wanglandau.lattice import Lattice


class StackedDenseNetwork(nn.Module):
    """Replicas of the dense network of the paper.

    Weights are float32 with the replica as the leading axis; outputs are float64 in physical units.

    Parameters
    ----------
    networks : sequence of DenseNetwork
        Of the same lattice, tasks and width; their weights and scales are copied.
    """

    def __init__(self, networks: Sequence[DenseNetwork]) -> None:
        super().__init__()
        first = networks[0]
        self.lattice, self.tasks, self.settings = first.lattice, first.tasks, first.settings
        states = [network.state_dict() for network in networks]
        self._trained = tuple(dict(first.named_parameters()))
        for name in states[0]:
            stacked = torch.stack([state[name] for state in states])
            if name in self._trained:
                self.register_parameter(_flat(name), nn.Parameter(stacked))
            else:
                self.register_buffer(_flat(name), stacked)

    @property
    def n_replicas(self) -> int:
        """Number of networks."""
        return len(self.get_parameter(_flat("first.weight")))

    def forward(self, occupations: Tensor) -> dict[str, Tensor]:
        """Predict from ``float32[n_replicas, n, n_sites]``.

        Returns
        -------
        dict of str to Tensor
            Mixing energy (Ry per cell), ``float64[n_replicas, n]``; charges and moments,
            ``float64[n_replicas, n, n_sites]``.
        """
        hidden = torch.relu(self._layer("second", torch.relu(self._layer("first", occupations))))
        outputs = {}
        for task in self.tasks:
            own = torch.relu(self._layer(f"branch.{task}", hidden)) if len(self.tasks) > 1 else hidden
            shift, scale = (self.get_buffer(f"{task}_{name}")[:, None, None] for name in ("shift", "scale"))
            raw = shift + scale * self._layer(f"head.{task}", own).double()
            outputs[task] = raw[:, :, 0] if task == "energy" else raw
        return outputs

    def _layer(self, name: str, values: Tensor) -> Tensor:
        weight, bias = (self.get_parameter(_flat(f"{name}.{part}")) for part in ("weight", "bias"))
        return torch.baddbmm(bias[:, None, :], values, weight.transpose(1, 2))

    def set_scale(self, shift: dict[str, Tensor], scale: dict[str, Tensor]) -> None:
        """Set zero and unit of the outputs of every replica, ``float64[n_replicas]`` by task."""
        for task in self.tasks:
            self.get_buffer(f"{task}_shift").copy_(shift[task])
            self.get_buffer(f"{task}_scale").copy_(scale[task])

    def network(self, replica: int) -> DenseNetwork:
        """Copy one replica, on the CPU."""
        single = DenseNetwork(self.lattice, self.tasks, self.settings)
        state = self.state_dict()
        single.load_state_dict({name: state[_flat(name)][replica].cpu() for name in single.state_dict()})
        return single.train(False)

    def is_bias(self, name: str) -> bool:
        """Tell whether a parameter, by its name here, is a bias."""
        return name.endswith("bias")


def new_stack(
    lattice: Lattice, tasks: tuple[str, ...], settings: DenseSettings, seeds: np.ndarray
) -> StackedDenseNetwork:
    """Make a stack of networks, the initial weights of each from a seed of its own, ``int64[n_replicas]``."""
    networks = [make_network(lambda: DenseNetwork(lattice, tasks, settings), seed) for seed in seeds.tolist()]
    return StackedDenseNetwork(networks)  # type: ignore[arg-type]


def _flat(name: str) -> str:
    return name.replace(".", "_")
