"""From a sweep's folder to report.html."""

from __future__ import annotations

from pathlib import Path

from lora_sweep.files import atomic_write
from lora_sweep.results.report.content import build_content, curves_content
from lora_sweep.results.report.page import render_page
from lora_sweep.results.report.pictures import build_album
from lora_sweep.results.report.read import Found, arrange, read_sweep_file, read_trials
from lora_sweep.results.store import Store, SweepFolder


def write_report(folder: SweepFolder, store: Store) -> Path:
    """Write the report of a sweep, finished or not; raises StoreError."""
    return write_page(find_sweep(folder, store), folder.report)


def find_sweep(folder: SweepFolder, store: Store) -> Found:
    """Everything known of a sweep; raises StoreError when its sweep.json cannot be used."""
    sweep = read_sweep_file(folder.sweep)
    trials = read_trials(store, sweep.trials)
    return arrange(sweep.name, folder.path, store, trials, sweep)


def write_page(found: Found, path: Path) -> Path:
    """Write the page about these trials; raises StoreError."""
    album = build_album(found)
    content = build_content(found, album, path.parent)
    atomic_write(path, render_page(content, curves_content(found), album.pictures))
    return path
