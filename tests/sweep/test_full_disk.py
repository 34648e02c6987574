"""A full disk: it is said, nothing is lost, and the same command goes on once there is room."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import only_run, record_of, weights_of

import lora_sweep.__main__ as command

pytestmark = pytest.mark.usefixtures("one_base")

SMALL = ["dataset=face", "te_mode=frozen", "optimizer=adamw", "train.batch_size=1",
         "train.max_train_steps=2", "evaluate=off", "evaluate.loss_timesteps=0",
         "train.checkpoint_every=1", "train.checkpoints_kept=9"]  # fmt: skip


@contextlib.contextmanager
def disk(place: Path, kilobytes: int) -> Iterator[None]:
    """A file system of its own, as large as asked for."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip("a disk cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def make_room(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)


class Cli:
    """Runs the command line in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capfd = patch, capfd

    def __call__(self, root: Path, *arguments: str) -> tuple[int, str]:
        """Exit status and what it said."""
        argv = ["lora_sweep", *arguments, *SMALL, f"results.dir={root}"]
        self.patch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            command.main()
        said = self.capfd.readouterr().err
        assert "Traceback" not in said and isinstance(caught.value.code, int)
        return caught.value.code, said


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capfd)


def used_kilobytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) >> 10


def test_of_a_trial_no_training_is_lost_that_was_saved(
    tmp_path: Path, shared_cache: Path, cli: Cli
) -> None:
    large, full = tmp_path / "large", tmp_path / "full"
    large.mkdir()
    (large / "cache").symlink_to(shared_cache)
    assert cli(large, "rank=8")[0] == 0
    expected = weights_of(only_run(large))
    with disk(full, used_kilobytes(large / "runs") * 6 // 10):
        (full / "cache").symlink_to(shared_cache)
        status, said = cli(full, "rank=8")
        assert status == 1 and "No space left" in said and "free some space" in said
        assert said.count("lora_sweep: ") == 1 and not weights_of(only_run(full))
        make_room(full)
        status, said = cli(full, "rank=8")
        assert status == 0 and "going on from step 1" in said
        assert weights_of(only_run(full)) == expected
        assert record_of(only_run(full))["state"] == "done"


def test_of_a_sweep_the_trials_that_fit_are_done(
    tmp_path: Path, shared_cache: Path, cli: Cli
) -> None:
    full = tmp_path / "full"
    # At rank 64 a checkpoint takes 5 MiB: there is room for one, and for all of rank 2.
    with disk(full, 7 << 10):
        (full / "cache").symlink_to(shared_cache)
        status, said = cli(full, "-m", "rank=2,64")
        assert status == 1 and "No space left on device" in said and "free some space" in said
        states = [record_of(folder)["state"] for folder in (full / "runs").iterdir()]
        assert sorted(states) == ["done", "failed"] and "summary.csv" in said
        make_room(full)
        status, said = cli(full, "-m", "rank=2,64")
        assert status == 0 and "already done" in said and "going on from step 1" in said
        assert all(record_of(folder)["state"] == "done" for folder in (full / "runs").iterdir())


def test_a_disk_without_any_room_is_refused_before_training(
    tmp_path: Path, shared_cache: Path, cli: Cli
) -> None:
    full = tmp_path / "full"
    with disk(full, 16):
        (full / "cache").symlink_to(shared_cache)
        (full / "filler").write_bytes(b"x" * (8 << 10))
        status, said = cli(full, "-m", "rank=2,3")
        assert status != 0 and "No space left on device; free some space" in said
        assert said.count("lora_sweep: ") == 1
