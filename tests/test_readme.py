"""README.md: it begins with two commands, its tree is the tree, its numbers are right."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lora_sweep
from lora_sweep.config.compose import conf_dir

ROOT = Path(lora_sweep.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def code_blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    return [text for its_language, text in blocks if its_language == language]


def tree() -> dict[str, str]:
    """Path -> what the tree says of it."""
    (block,) = [block for block in code_blocks("") if block.startswith("conf/")]
    paths: dict[str, str] = {}
    for line in block.splitlines():
        indent, name, note = re.fullmatch(r"( *)(\S+) +(.+)", line).groups()  # type: ignore[union-attr]
        paths[("lora_sweep/" if indent else "") + name] = note
    return paths


def ignored(path: Path) -> bool:
    """Whether git would leave the file out, as far as that can be told without git."""
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    names = {pattern.strip("/") for pattern in patterns if not pattern.startswith("#")}
    return path.name in names | {".git", ".gitignore"} or path.match("*.egg-info")


def test_the_page_begins_with_the_two_commands() -> None:
    first = code_blocks("bash")[0].splitlines()
    assert [line.partition("#")[0].strip() for line in first] == ["make demo", "make test"]


def test_every_make_command_of_the_page_and_of_ci_is_a_target() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    used = set(re.findall(r"^make (\w+)", "\n".join([*code_blocks("bash"), ci]), re.M))
    targets = set(re.findall(r"^(\w+):", MAKEFILE, re.M))
    assert {"install", "demo", "test", "check"} <= used | {"check"}
    assert used <= targets


def test_make_without_a_target_lists_every_target() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    targets = re.findall(r"^(\w+):", MAKEFILE, re.M)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  make (\w+)", done.stdout, re.M) == targets


def test_the_commit_hook_runs_what_ci_runs() -> None:
    hook = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"entry: (.*)", hook) == ["make check"]


def test_everything_in_the_tree_exists() -> None:
    missing = [path for path in tree() if not (ROOT / path).exists()]
    assert missing == []


def test_folders_and_only_folders_end_in_a_slash() -> None:
    wrong = [path for path in tree() if (ROOT / path).is_dir() is not path.endswith("/")]
    assert wrong == []


def test_everything_at_the_top_is_in_the_tree() -> None:
    there = {path.name for path in ROOT.iterdir() if not ignored(path)}
    assert there == {path.rstrip("/") for path in tree() if path.count("/") == path.endswith("/")}


def test_every_room_and_module_of_the_package_is_in_the_tree() -> None:
    package = ROOT / "lora_sweep"
    rooms = {path.name + "/" for path in package.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    listed = {path.removeprefix("lora_sweep/") for path in tree() if path.startswith("lora_sweep/")}
    assert listed - {""} == rooms | modules


def test_the_numbers_of_experiments_and_sweeps_are_those_on_the_page() -> None:
    found = re.search(r"names (\S+) trials and `sweep=` (\S+) comparisons", README)
    assert found is not None
    words = ["ten", "eleven", "twelve", "thirteen", *[f"twenty{n}" for n in ("", "-one", "-two")]]
    assert set(found.groups()) <= set(words)
    numbers = dict(zip(words, (10, 11, 12, 13, 20, 21, 22), strict=True))
    posts = [path for path in (conf_dir() / "sweep").glob("*.yaml") if path.stem != "demo"]
    experiments = list((conf_dir() / "experiment").glob("*.yaml"))
    assert [numbers[word] for word in found.groups()] == [len(experiments), len(posts)]


def test_files_that_an_addition_touches_exist() -> None:
    section = README.partition("## Adding to it")[2].partition("\n## ")[0]
    files = {word for word in re.findall(r"`([^`\n]+)`", section) if "/" in word}
    assert len(files) >= 8
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_python_of_the_page_is_python() -> None:
    for block in code_blocks("python"):
        compile(block, "README.md", "exec")
