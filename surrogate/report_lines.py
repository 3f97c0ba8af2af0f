"""Reports of numbers, laid out for people."""

from __future__ import annotations

from typing import Any


def report_lines(values: dict[str, Any]) -> list[str]:
    """Lay out a report for people: single numbers, then one line for each group."""
    lines = [f"{name:66} {_short(value)}" for name, value in values.items() if not isinstance(value, dict)]
    for name, group in values.items():
        if name == "baselines":
            key = "mixing_energy_rmse_within_composition_mev_per_atom"
            lines += [f"baseline {label + ': ' + key:57} {_short(report.get(key))}" for label, report in group.items()]
        elif isinstance(group, dict) and name != "by_composition":
            lines += [f"{name}:", *(f"  {_short_group(key, value)}" for key, value in group.items())]
    return lines


def _short_group(name: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{name} {_short(value)}"
    return f"{name}: " + ", ".join(f"{key} {_short(item)}" for key, item in value.items() if not isinstance(item, dict))


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
