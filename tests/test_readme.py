"""README.md: its commands are commands, its tree is the tree, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import lora_sweep
from lora_sweep.config import check
from lora_sweep.config.compose import compose, conf_dir
from lora_sweep.config.settings import Settings

ROOT = Path(lora_sweep.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMAND = "python -m lora_sweep"
HYDRA_FLAGS = {"-m", "--help", "--cfg", "job"}


def code_blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    return [text for its_language, text in blocks if its_language == language]


def commands() -> list[str]:
    """Every lora_sweep command of the page, from code blocks and from the text."""
    lines = [line for block in code_blocks("bash") for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", README)
    found = [line.partition("  #")[0].strip() for line in (*lines, *spans)]
    return [line for line in found if line.startswith(COMMAND)]


def composed(command: str) -> list[Settings]:
    """The settings of the command's trials: with -m every value of a list on its own."""
    words = shlex.split(command.removeprefix(COMMAND))
    overrides = [word for word in words if word not in HYDRA_FLAGS]
    if "-m" not in words:
        return [compose(overrides)]
    choices = [(key, values.split(",")) for key, _, values in (w.partition("=") for w in overrides)]
    return [compose([f"{key}={value}"]) for key, values in choices for value in values]


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


def test_the_page_has_commands_to_try() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_page_gives_settings_that_hold(command: str) -> None:
    for settings in composed(command):
        check(settings)


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


def test_every_link_to_a_file_leads_somewhere() -> None:
    targets = [t for t in re.findall(r"\]\(([^)]+)\)", README) if not t.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_number_of_experiments_is_the_one_on_the_page() -> None:
    words = {13: "thirteen", 20: "twenty", 21: "twenty-one", 22: "twenty-two"}
    count = len(list((conf_dir() / "experiment").glob("*.yaml")))
    assert f"names {words[count]} trials" in README


def test_files_that_an_addition_touches_exist() -> None:
    section = README.partition("## Adding to it")[2].partition("\n## ")[0]
    files = {word for word in re.findall(r"`([^`\n]+)`", section) if "/" in word}
    assert len(files) >= 8
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_python_of_the_page_is_python() -> None:
    for block in code_blocks("python"):
        compile(block, "README.md", "exec")
