"""python -m lora_sweep.results.push TRIAL --repo owner/name: a finished trial onto the hub.

Exit status: 0 when it is there, 1 when the hub refused or could not be reached, 2 when there is
nothing to push, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING

from lora_sweep.errors import LoraSweepError, SettingsError
from lora_sweep.quiet import quiet_libraries

if TYPE_CHECKING:
    from lora_sweep.results.published import Content

PROGRAM = "python -m lora_sweep.results.push"
NAME = re.compile(r"[A-Za-z0-9_-][\w.-]*/[A-Za-z0-9_-][\w.-]*", re.A)
REASONS = {
    401: "the token is not valid; log in again with hf auth login",
    403: "the token may not write there; it needs write access, and you a place in that owner",
    404: "there is no such owner, or the token may not see it",
    429: "too many requests; try again later",
}
"""What a status of the hub means here."""


class HubError(LoraSweepError):
    """The hub refused something or cannot be reached."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Push the trial that the command line names, and print its address."""
    given = _parser().parse_args(arguments)
    try:
        print(_push(given))
    except LoraSweepError as error:
        problems = error.problems if isinstance(error, SettingsError) else (str(error),)
        for problem in problems:
            _say(problem)
        return 1 if isinstance(error, HubError) else 2
    except KeyboardInterrupt:
        _say("interrupted; run the command again to go on")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Upload a finished trial to the Hugging Face hub: card, samples, settings, "
        "weights.",
        epilog="The token is that of hf auth login, or of the variable HF_TOKEN.",
    )
    parser.add_argument("trial", metavar="TRIAL", help="its id, the beginning of it, or its folder")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="made if need be")
    parser.add_argument("--private", action="store_true", help="only you may see it")
    parser.add_argument(
        "--base", metavar="OWNER/NAME", help="hub name of the base, if it was a folder of yours"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    return parser


def _push(given: argparse.Namespace) -> str:
    names = {"repo": given.repo, "base": given.base}
    problems = [
        f"--{key}={name}: must be owner/name, of letters, digits, '.', '_' and '-'"
        for key, name in names.items()
        if name is not None and not NAME.fullmatch(name)
    ]
    if problems:
        raise SettingsError(problems)
    from lora_sweep.results.finished import finished_trials

    (trial,) = finished_trials(given.results, [given.trial])
    quiet_libraries()
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        raise SettingsError(
            [
                "there is no token for the hub: log in with hf auth login, or set HF_TOKEN; "
                "it needs write access"
            ]
        )
    from lora_sweep.results.published import is_local_base, published_files  # imports torch

    files = published_files(trial, given.repo, given.base, token)
    if is_local_base(trial.settings) and given.base is None:
        name = Path(trial.settings.model.path).name
        _say(f"the card calls the base {name}, which lies here alone; name it with --base")
    return upload(files, given.repo, given.private, token, f"Trial {trial.id} of lora_sweep")


def upload(files: dict[str, Content], repo: str, private: bool, token: str, message: str) -> str:
    """Put the files into a repository of the hub in one commit; returns its address.

    Raises HubError, in which the token never is; SettingsError where a repository that is to be
    private is not.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    with _explained(api.endpoint, repo, token):
        api.create_repo(repo, private=private or None, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise SettingsError([f"--private: {repo} is public already; nothing was sent"])
        api.create_commit(repo, additions, commit_message=message)
    return f"{api.endpoint}/{repo}"


@contextmanager
def _explained(endpoint: str, repo: str, token: str) -> Iterator[None]:
    """Turn whatever the hub's client raises into a HubError of one line."""
    try:
        yield
    except LoraSweepError:
        raise
    except Exception as error:  # of many libraries: httpx, huggingface_hub, hf_xet, the system
        reason = _reason(error, endpoint)
        # What was raised holds the request, and with it the token: no cause is kept.
        raise HubError(f"{repo} was not pushed: {_without(token, reason)}") from None


def _reason(error: Exception, endpoint: str) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        return _reason(error.__cause__, endpoint)  # it only says which file could not be sent
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        said = " ".join((error.server_message or "").split())
        why = REASONS.get(status) or said or "the hub has a problem; try again later"
        return f"{endpoint} answered {status}: {why}"
    line = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, JSONDecodeError):
        return f"{endpoint} answered what is no answer of the hub"
    if isinstance(error, ValueError):
        return line  # what the hub does not take, such as a card
    return f"{endpoint} cannot be reached ({type(error).__name__}: {line})"


def _without(token: str, text: str) -> str:
    from lora_sweep.results.private import public_text

    return public_text(text.replace(token, "***"))


def _say(line: str) -> None:
    print(f"lora_sweep: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
