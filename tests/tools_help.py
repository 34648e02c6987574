"""What a tool prints for --help, in a process that must not load what is slow to import."""

from __future__ import annotations

import subprocess
import sys


def help_without(module: str, *heavy: str) -> str:
    """The help of `python -m module`; fails where that imported one of the packages."""
    code = (
        f"import sys; from {module} import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(', '.join({set(heavy)} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
