"""The one configuration that a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wanglandau.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from wanglandau.lattice import Lattice


@dataclass(frozen=True)
class ConfigurationChoice:
    """How a single configuration is named.

    Attributes
    ----------
    occupations : str
        A 0 or 1 for each site.
    structure : str
        Name of an ordered structure, such as L1_0 or B2.
    composition : int
        Number of second-species atoms of a random configuration.
    configuration_seed : int
        Of a random configuration.
    """

    occupations: str | None = None
    structure: str | None = None
    composition: int | None = None
    configuration_seed: int = 0

    def find(self, lattice: Lattice) -> np.ndarray:
        """Return the occupations, ``int8[n_sites]``.

        Raises
        ------
        InputError
            If none or several are named, or they do not fit the lattice.
        """
        import numpy as np

        from lsms_bridge.canonical import from_text
        from wanglandau.configurations import random_configurations
        from wanglandau.ordered_structures import ordered_structure

        said = [name for name in ("occupations", "structure", "composition") if getattr(self, name) is not None]
        if len(said) != 1:
            raise InputError(
                "name one configuration by --occupations, --structure or --composition, "
                f"not by {' and '.join(said) or 'none'}"
            )
        if self.structure is not None:
            return ordered_structure(lattice, self.structure)
        if self.occupations is not None:
            if len(self.occupations) != lattice.n_sites or set(self.occupations) - {"0", "1"}:
                raise InputError(f"occupations must be {lattice.n_sites} characters, each 0 or 1")
            return from_text(self.occupations)
        rng = np.random.default_rng(self.configuration_seed)
        return random_configurations(lattice, self.composition, 1, rng)[0]
