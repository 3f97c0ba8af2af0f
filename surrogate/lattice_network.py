"""The lattice network: one small network shared by all sites, energies as a sum over sites.

Each site sees its species and how many second-species atoms its shells hold. A hidden layer of cosines, shared by
all tasks, turns that into features that vanish in the pure species::

    h_i = cos(W y_i + b) - cos(W y_pure + b)            W, b by species; y: shares of second-species atoms in the shells

    energy   = sum_i u . h_i + sum_k w_k (stars_k - stars_k of the pure species)
    charge_i = sum_s V_s . (mean of p_j over shell s of i  -  p_i),         p = (species, h): neutral in any cell
    moment_i = m + a . h_i + sum_s B_s . (mean of p_j over shell s of i  -  p_i),           m, B by species of i

Weights of the hidden layer start at random with the spectrum of a Gaussian kernel, those after it at the solution
of the ridge regression; training then moves all of them together. What the weights mean without torch
stands in :mod:`surrogate.lattice_energy`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surrogate.lattice_settings import LatticeSettings
from surrogate.settings import check_tasks
from surrogate.site_descriptors import arm_masks, count_stars, find_neighbourhood, shell_counts, star_types
from wanglandau.lattice import Lattice


class LatticeNetwork(nn.Module):
    """Mixing energies, charges and moments from local environments, float64 throughout.

    Parameters
    ----------
    lattice : Lattice
        Any cell of the parent lattice; weights fit every one of them.
    tasks : tuple of str
        Among energy, charge and moment.
    settings : LatticeSettings
    """

    architecture = "lattice"

    def __init__(self, lattice: Lattice, tasks: tuple[str, ...], settings: LatticeSettings) -> None:
        super().__init__()
        self.lattice = lattice
        self.tasks = check_tasks(tasks)
        self.settings = settings
        n_shells, width = len(settings.length_scales), settings.width
        self._neighbourhood = find_neighbourhood(lattice, n_shells)
        self._arms = find_neighbourhood(lattice, 1)
        self._stars = count_stars(self._arms.sites.shape[1], star_types(self._arms, settings.star_sites))
        scales = torch.tensor(settings.length_scales, dtype=torch.float64)
        self.frequencies = nn.Parameter(torch.randn(2, n_shells, width, dtype=torch.float64) / scales[:, None])
        self.phases = nn.Parameter(2 * math.pi * torch.rand(2, width, dtype=torch.float64))
        for k, shell in enumerate(lattice.shells(settings.head_shells)):
            self.register_buffer(f"neighbours_{k}", torch.as_tensor(shell.neighbours).long(), persistent=False)
        self._make_heads(2 * width, self._stars.shape[1])

    def _make_heads(self, n_features: int, n_stars: int) -> None:
        n_shells = self.settings.head_shells
        sizes = {
            "energy": n_features + n_stars,
            "charge": n_shells * (n_features + 1),
            "moment": 2 + n_features + 2 * n_shells * (n_features + 1),
        }
        for task in self.tasks:
            self.register_parameter(f"{task}_weights", nn.Parameter(torch.zeros(sizes[task], dtype=torch.float64)))
            self.register_buffer(f"{task}_norms", torch.ones(sizes[task], dtype=torch.float64))
            self.register_buffer(f"{task}_unit", torch.ones((), dtype=torch.float64))

    def inputs(self, occupations: np.ndarray) -> tuple[Tensor, ...]:
        """Turn occupations, ``int8[n, n_sites]``, into species, shares of the shells and counts of stars."""
        species = np.asarray(occupations, dtype=np.float64)
        shares = shell_counts(self._neighbourhood, occupations) / self._neighbourhood.coordination
        excess = (self._stars - self._stars[-1])[arm_masks(self._arms, occupations)]
        stars = (species[..., None] * excess).sum(axis=1)
        device = self.phases.device
        return tuple(torch.as_tensor(part, device=device) for part in (species, shares, stars.astype(np.float64)))

    def hidden(self, species: Tensor, shares: Tensor) -> Tensor:
        """Return the features of each site, one block of ``width`` for each species, the other block zero."""
        blocks = []
        for kind in (0, 1):
            pure = torch.cos(kind * self.frequencies[kind].sum(dim=0) + self.phases[kind])
            own = torch.cos(shares @ self.frequencies[kind] + self.phases[kind]) - pure
            blocks.append(own * (species == kind)[..., None])
        return torch.cat(blocks, dim=-1)

    def forward(self, species: Tensor, shares: Tensor, stars: Tensor) -> dict[str, Tensor]:
        """Predict the mixing energy (Ry per cell, [n]), charges (electrons) and moments (mu_B, [n, n_sites])."""
        hidden = self.hidden(species, shares)
        potential = torch.cat([species[..., None], hidden], dim=-1)
        outputs = {}
        if "energy" in self.tasks:
            outputs["energy"] = self._energy_features(hidden, stars) @ self._scaled("energy")
        if "charge" in self.tasks:
            weights = self._scaled("charge").reshape(self.settings.head_shells, -1)
            outputs["charge"] = self._spread(potential @ weights.T)
        if "moment" in self.tasks:
            outputs["moment"] = self._moments(species, hidden, potential)
        return outputs

    def _moments(self, species: Tensor, hidden: Tensor, potential: Tensor) -> Tensor:
        """The same as features times weights, but summed over features before neighbours are met."""
        weights, n_own = self._scaled("moment"), 2 + hidden.shape[-1]
        around = weights[n_own:].reshape(2, self.settings.head_shells, -1)
        first, second = (self._spread(potential @ kind.T) for kind in around)
        own = torch.cat([1 - species[..., None], species[..., None], hidden], dim=-1) @ weights[:n_own]
        return own + torch.where(species == 0, first, second)

    def _spread(self, levels: Tensor) -> Tensor:
        """Sum over shells (last axis of ``levels[n, n_sites, n_shells]``) the mean of the neighbours minus the own."""
        means = [levels[:, self.get_buffer(f"neighbours_{k}"), k].mean(dim=-1) for k in range(levels.shape[-1])]
        return torch.stack(means).sum(dim=0) - levels.sum(dim=-1)

    def _energy_features(self, hidden: Tensor, stars: Tensor) -> Tensor:
        return torch.cat([hidden.sum(dim=1), stars], dim=-1)

    def _differences(self, species: Tensor, hidden: Tensor) -> Tensor:
        """Means over the shells of each site minus its own, ``[n, n_sites, head_shells, 1 + 2 width]``."""
        potential = torch.cat([species[..., None], hidden], dim=-1)
        differences = []
        for k in range(self.settings.head_shells):
            columns = self.get_buffer(f"neighbours_{k}").T
            mean = torch.stack([potential[:, column] for column in columns]).mean(dim=0)
            differences.append(mean - potential)
        return torch.stack(differences, dim=2)

    def _charge_features(self, species: Tensor, hidden: Tensor) -> Tensor:
        return self._differences(species, hidden).flatten(2)

    def _moment_features(self, species: Tensor, hidden: Tensor) -> Tensor:
        around = self._differences(species, hidden).flatten(2)
        own = species[..., None]
        return torch.cat([1 - own, own, hidden, around * (1 - own), around * own], dim=-1)

    def _scaled(self, task: str) -> Tensor:
        return (
            self.get_parameter(f"{task}_weights") * self.get_buffer(f"{task}_norms") * self.get_buffer(f"{task}_unit")
        )

    def set_scale(self, targets: dict[str, Tensor]) -> None:
        """Take a thousandth of the spread of the training targets as unit of each task."""
        for task in self.tasks:
            spread = targets[task].std(correction=0).clamp_min(1e-12)
            self.get_buffer(f"{task}_unit").copy_(1e-3 * spread)

    @torch.no_grad()
    def fit_start(self, inputs: tuple[Tensor, ...], targets: dict[str, Tensor]) -> None:
        """Solve the ridge regression of every task on the features of the untrained hidden layer."""
        species, shares, stars = inputs
        hidden = self.hidden(species, shares)
        if "energy" in self.tasks:
            site = _joint_norm(hidden.sum(dim=1))
            star = stars.square().mean(dim=0).mul(stars.shape[1]).clamp_min(1e-12).rsqrt()
            norms = torch.cat([site.expand(hidden.shape[-1]), star * self.settings.star_prior**0.5])
            features = self._energy_features(hidden, stars)
            self._solve("energy", features, norms, targets["energy"], self.settings.energy_ridge)
        for task, make in (("charge", self._charge_features), ("moment", self._moment_features)):
            if task in self.tasks:
                features = make(species, hidden).flatten(0, 1)
                norms = _joint_norm(features).expand(features.shape[1])
                self._solve(task, features, norms, targets[task].flatten(), self.settings.site_ridge)

    def _solve(self, task: str, features: Tensor, norms: Tensor, values: Tensor, ridge: float) -> None:
        scaled = features * norms
        gram = scaled.T @ scaled
        gram.diagonal().add_(ridge * len(values))
        unit = self.get_buffer(f"{task}_unit")
        self.get_buffer(f"{task}_norms").copy_(norms)
        self.get_parameter(f"{task}_weights").copy_(torch.linalg.solve(gram, scaled.T @ (values / unit)))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the hidden layer and the weights after it as two groups; neither decays."""
        hidden = [self.frequencies, self.phases]
        heads = [self.get_parameter(f"{task}_weights") for task in self.tasks]
        return [{"params": hidden, "weight_decay": 0.0}, {"params": heads, "weight_decay": 0.0}]


def _joint_norm(features: Tensor) -> Tensor:
    """Return the factor that makes the squared length of an average row of features 1."""
    return features.square().mean(dim=0).sum().clamp_min(1e-12).rsqrt()
