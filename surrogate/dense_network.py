"""The dense networks of the paper: occupations in, two hidden layers, one or several tasks out.

One task: two hidden layers and a linear output. Several tasks: the two layers are shared, and a third
layer of the same width is split evenly between the tasks, each of which has a linear output of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from surrogate.settings import DenseSettings, check_tasks
from wanglandau.errors import InputError
from wanglandau.lattice import Lattice


class DenseNetwork(nn.Module):
    """A multilayer perceptron on the occupations of one periodic cell.

    Weights are float32; outputs are float64 in physical units.

    Parameters
    ----------
    lattice : Lattice
    tasks : tuple of str
        Among energy, charge and moment.
    settings : DenseSettings
    """

    architecture = "dense"

    def __init__(self, lattice: Lattice, tasks: tuple[str, ...], settings: DenseSettings) -> None:
        super().__init__()
        self.lattice = lattice
        self.tasks = check_tasks(tasks)
        self.settings = settings
        width = settings.width
        own = width if len(self.tasks) == 1 else width // len(self.tasks)
        if own < 1:
            raise InputError(f"width is {width}; {len(self.tasks)} tasks need at least one node each")
        outputs = {"energy": 1, "charge": lattice.n_sites, "moment": lattice.n_sites}
        self.first = nn.Linear(lattice.n_sites, width)
        self.second = nn.Linear(width, width)
        if len(self.tasks) > 1:
            self.branch = nn.ModuleDict({task: nn.Linear(width, own) for task in self.tasks})
        self.head = nn.ModuleDict({task: nn.Linear(own, outputs[task]) for task in self.tasks})
        for task in self.tasks:
            self.register_buffer(f"{task}_shift", torch.zeros((), dtype=torch.float64))
            self.register_buffer(f"{task}_scale", torch.ones((), dtype=torch.float64))

    def inputs(self, occupations: np.ndarray) -> Tensor:
        """Turn occupations, ``int8[n, n_sites]``, into what :meth:`forward` takes."""
        return torch.as_tensor(occupations, dtype=self.first.weight.dtype, device=self.first.weight.device)

    def forward(self, occupations: Tensor) -> dict[str, Tensor]:
        """Predict the mixing energy (Ry per cell, [n]), charges and moments ([n, n_sites])."""
        hidden = torch.relu(self.second(torch.relu(self.first(occupations))))
        outputs = {}
        for task in self.tasks:
            own = torch.relu(self.branch[task](hidden)) if len(self.tasks) > 1 else hidden
            raw = self.head[task](own).double()
            outputs[task] = self.get_buffer(f"{task}_shift") + self.get_buffer(f"{task}_scale") * raw
        return {task: values[:, 0] if task == "energy" else values for task, values in outputs.items()}

    def set_scale(self, targets: dict[str, Tensor]) -> None:
        """Take mean and standard deviation of the training targets as zero and unit of the outputs."""
        for task in self.tasks:
            self.get_buffer(f"{task}_shift").copy_(targets[task].mean())
            self.get_buffer(f"{task}_scale").copy_(targets[task].std(correction=0).clamp_min(1e-12))

    def parameter_groups(self) -> list[dict[str, object]]:
        """Return the parameter groups for the optimiser: weights decay, biases do not."""
        named = list(self.named_parameters())
        return [
            {"params": [value for name, value in named if name.endswith("weight")]},
            {"params": [value for name, value in named if name.endswith("bias")], "weight_decay": 0.0},
        ]
