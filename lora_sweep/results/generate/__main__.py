"""python -m lora_sweep.results.generate TRIAL ... --prompt TEXT: draw with trials that are done.

Exit status: 0 when the pictures are drawn, 2 when they cannot be, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lora_sweep.errors import LoraSweepError, SettingsError
from lora_sweep.results.generate.asked import Asked, seeds_of
from lora_sweep.results.store import Store

PROGRAM = "python -m lora_sweep.results.generate"
EPILOG = """\
A prompt is written as captions are: {subject}, or the abstraction that the trials were trained
with, such as TOK. New tokens are put in its place for each trial. Steps, guidance and size are by
default those of the first trial's validation pictures, so that a prompt and seed of samples.json
give that picture again.

  python -m lora_sweep.results.generate 3f2a9c --prompt "a TOK emoji in space"
  python -m lora_sweep.results.generate 3f2a9c 81be02 --prompt "{subject}" --seeds 7,8,9
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line asks for, and say where it is."""
    given = _parser().parse_args(arguments)
    try:
        folder = _draw(given)
    except SettingsError as error:
        for problem in error.problems:
            print(f"lora_sweep: {problem}", file=sys.stderr)
        return 2
    except LoraSweepError as error:
        print(f"lora_sweep: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lora_sweep: interrupted; no list of the pictures was written", file=sys.stderr)
        return 130
    print(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Draw pictures with trials that are done, several side by side.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "trials", nargs="+", metavar="TRIAL", help="a trial's id, its beginning, or its folder"
    )
    parser.add_argument(
        "--prompt", action="append", metavar="TEXT", help="what to draw; may be given again"
    )
    parser.add_argument("--seeds", default="0", help="one or more, as 0,1,2; default 0")
    parser.add_argument(
        "--count", type=int, help="pictures of each prompt: this many seeds, from the first on"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    parser.add_argument(
        "--out", type=Path, help="folder for the pictures; default <results>/generated/DATE/TIME"
    )
    parser.add_argument("--size", type=int, help="pixels of a side")
    parser.add_argument("--steps", type=int, help="sampling steps")
    parser.add_argument("--guidance", type=float, help="guidance scale; 1 is none")
    parser.add_argument("--batch-size", type=int, default=4, help="pictures at a time; default 4")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser


def _draw(given: argparse.Namespace) -> Path:
    problems: list[str] = []
    prompts: tuple[str, ...] = tuple(given.prompt or ())
    if not prompts:
        problems.append('--prompt is missing: say what to draw, as --prompt "a photo of {subject}"')
    elif not all(prompt.strip() for prompt in prompts):
        problems.append("--prompt is empty: say what to draw")
    seeds = seeds_of(given.seeds, given.count, problems)
    for name in ("size", "steps", "batch_size"):
        value = getattr(given, name)
        if value is not None and value < 1:
            problems.append(f"--{name.replace('_', '-')}={value}: must be at least 1")
    if given.guidance is not None and not 0 <= given.guidance < float("inf"):
        problems.append(f"--guidance={given.guidance}: must be a number of at least 0")
    if problems:
        raise SettingsError(problems)
    store = Store(given.results)
    asked = Asked(
        prompts, seeds, given.size, given.steps, given.guidance, given.batch_size, given.device
    )
    from lora_sweep.results.finished import finished_trials

    trials = finished_trials(store.root, given.trials)
    out = given.out or store.generated / time.strftime("%Y-%m-%d/%H-%M-%S")
    from lora_sweep.quiet import quiet_libraries

    quiet_libraries()
    from lora_sweep.results.generate.draw import draw_all  # imports torch; refusals do without

    return draw_all(trials, asked, out, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
