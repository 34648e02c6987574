"""What a sweep comes to before it is trained, in plain words. No torch."""

from __future__ import annotations

from lora_sweep.sweep.tree import StageTree


def describe(tree: StageTree) -> list[str]:
    """One line each: trials, duplicates, families, steps alone and in the tree, the saving."""
    facts = {
        "trials": f"{tree.num_trials:,}",
        "duplicates dropped": f"{tree.duplicates:,}",
        "families": f"{len(tree.families):,}",
        "steps alone": f"{tree.steps_alone:,}",
        "steps in the tree": f"{tree.steps_in_tree:,}",
        "saving": f"{100 * tree.saving:.2f} %",
    }
    return [f"{name:<18} {value:>12}" for name, value in facts.items()]
