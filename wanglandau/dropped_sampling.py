"""Wang-Landau sampling inside longer work: asked to end, it ends at once and is dropped."""

from __future__ import annotations

from wanglandau.calculation import Calculation
from wanglandau.engine import Engine
from wanglandau.extensions import Extensions
from wanglandau.orderly_end import end_asked_for, stop_if_asked
from wanglandau.ranks import Ranks
from wanglandau.sampling import Unkept
from wanglandau.settings import WangLandauSettings


class DropsWhenAsked(Unkept):
    """Keeps nothing, and ends when that is asked for; see :func:`wanglandau.orderly_end.stop_if_asked`."""

    def calculation(
        self, engine: Engine, composition: int | None, settings: WangLandauSettings, ranks: Ranks, own: Extensions
    ) -> Calculation:
        """Plan a calculation."""
        engine.on_trials = lambda n_trials: stop_if_asked()
        calculation = super().calculation(engine, composition, settings, ranks, own)
        engine.pause_if(end_asked_for)
        return calculation

    def attend(self, calculation: Calculation, at_check: bool) -> None:
        """End the calculation if that is asked for.

        Raises
        ------
        Interrupted
            See :func:`wanglandau.orderly_end.stop_if_asked`.
        """
        stop_if_asked()
