"""A pasted command as words: quotes, line continuations, variables and notebook marks as in posts.

Follows the POSIX shell where the text is for a shell, and reads what web pages make of one: curly
quotes, non-breaking spaces, dashes, a line that lost its backslash. No command is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_BREAKING = "\u00a0\u2007\u202f\u3000"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
CURLY_DOUBLE = "\u201c\u201d\u201e\u201f"
CURLY_SINGLE = "\u2018\u2019\u201a\u201b"
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
ASSIGNMENT = re.compile(rf"({NAME})=(.*)", re.S)


@dataclass
class Text:
    """What a pasted text holds: its statements as words, and what was odd about it."""

    statements: list[list[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_text(text: str, environment: Mapping[str, str]) -> Text:
    """Split a text into statements of words; assignments in it are carried out, nothing else is.

    `environment` has the values of variables that the text itself does not set.
    """
    read = Text()
    plain = _plain_spaces(text, read.remarks)
    plain = _join_lines(plain, read.remarks)
    _Reader(plain, dict(environment), read).run()
    return read


def _plain_spaces(text: str, remarks: list[str]) -> str:
    text = (
        text.replace("\r\n", "\n").replace("\r", "\n").translate(dict.fromkeys(map(ord, INVISIBLE)))
    )
    plain = text.translate(dict.fromkeys(map(ord, NOT_BREAKING), " "))
    if plain != text:
        remarks.append("non-breaking spaces were read as spaces")
    return plain


def _join_lines(text: str, remarks: list[str]) -> str:
    """Join lines that end in a backslash (^ of cmd, ` of PowerShell), and flags left alone."""
    joined: list[str] = []
    lost: list[str] = []
    glued: list[str] = []
    continues = False
    for line in filter(str.strip, text.split("\n")):  # pages put blank lines between lines
        stripped = line.strip()
        if continues and stripped.startswith("#"):
            continue  # a comment between the flags of one command
        flags = re.match("(--|[\u2013\u2014])[A-Za-z]", stripped) is not None
        if not stripped.startswith("#"):
            line = _without_comment(line)
        ends = re.search(r"\s*(\\|(?<=\s)[\^`])\s*$", line)
        body = line[: ends.start()] if ends else line
        if ends and ends.group()[0].isspace():
            body += " "
        if continues:
            close = not joined[-1].endswith(" ") and not line[0].isspace()
            if close and flags:
                glued.append(_first_word(stripped))
            joined[-1] += ("" if close and not flags else " ") + body
        elif flags and joined and not joined[-1].lstrip().startswith("#"):
            lost.append(_first_word(stripped))
            joined[-1] += " " + body
        else:
            joined.append(body)
        continues = ends is not None
    if glued:
        remarks.append(
            f"a space was read before {', '.join(glued)}; to a shell the line before goes on there"
        )
    if lost:
        remarks.append(
            f"{', '.join(lost)} was read as part of the command, though the line before does not "
            "end in a backslash"
        )
    return "\n".join(joined)


def _without_comment(line: str) -> str:
    """The line without a comment at its end, which would hide the backslash that comes after it."""
    for found in re.finditer(r"(?<=\s)#", line):
        before = line[: found.start()]
        open_curly = sum(map(before.count, "\u201c\u201e")) > before.count("\u201d")
        if not before.count('"') % 2 and not before.count("'") % 2 and not open_curly:
            backslash = re.search(r"\\\s*$", line)
            return before + (backslash.group() if backslash else "")
    return line


def _first_word(line: str) -> str:
    return re.split(r"[=\s\\]", line, maxsplit=1)[0]


class _Reader:
    """One pass over the characters."""

    def __init__(self, text: str, environment: dict[str, str], read: Text) -> None:
        self.text, self.environment, self.read = text, environment, read
        self.at = 0
        self.words: list[str] = []
        self.word: str | None = None
        self.notebook = False
        self.target_of_redirection = False

    def run(self) -> None:
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char in " \t":
                self._end_word()
            elif char in "\n;&|":
                self._end_statement()
            elif char in "<>":
                self._redirection()
            elif char == "#" and self.word is None:
                self._skip_line()
            elif char == "!" and self.word is None and not self.words:
                self.notebook = True
            elif char == "'" or self._opens(char, CURLY_SINGLE):
                self._quoted("'" if char == "'" else CURLY_SINGLE, char, expands=False)
            elif char == '"' or self._opens(char, CURLY_DOUBLE):
                self._quoted('"' if char == '"' else CURLY_DOUBLE + '"', char, expands=True)
            elif char == "\\" and self.at < len(self.text):
                self._add(self.text[self.at])
                self.at += 1
            else:
                self._plain(char)
        self._end_statement()

    def _opens(self, char: str, quotes: str) -> bool:
        # elsewhere it is an apostrophe
        return char in quotes and (not self.word or self.word.endswith("="))

    def _quoted(self, closing: str, opening: str, expands: bool) -> None:
        start = self.at
        self._add("")
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char in closing and self._closes(closing):
                return
            if (
                char == "\\"
                and expands
                and self.text[self.at : self.at + 1] in ("\\", '"', "$", "`")
            ):
                self._add(self.text[self.at])
                self.at += 1
            elif expands:
                self._plain(char)
            else:
                self._add(char)
        where = self.text[start - 1 : start + 40].replace("\n", " ")
        self.read.problems.append(f"the quote {opening} at {_masked(where)!r} is never closed")

    def _closes(self, closing: str) -> bool:
        # an apostrophe inside single curly quotes is followed by a letter
        following = self.text[self.at : self.at + 1]
        return closing != CURLY_SINGLE or not following.isalnum()

    def _plain(self, char: str) -> None:
        rest = self.text[self.at :]
        if char == "$" and rest.startswith("("):
            self.read.problems.append("$(…) is not run; write what it gives")
            self._add(char)
        elif char == "`":
            self.read.problems.append("`…` is not run; write what it gives")
        elif char == "$" and (found := re.match(rf"({NAME})|\{{({NAME})(?::?-([^}}]*))?\}}", rest)):
            self.at += found.end()
            self._variable(found.group(1) or found.group(2), found.group(3))
        elif char == "{" and self.notebook and (found := re.match(rf"({NAME})\}}", rest)):
            self.at += found.end()
            self._variable(found.group(1), None)
        else:
            self._add(char)

    def _variable(self, name: str, default: str | None) -> None:
        value = self.environment.get(name) or default
        if value is None and "TOKEN" not in name.upper() and "KEY" not in name.upper():
            self.read.problems.append(
                f"${name} is not set; put export {name}=… before the command, or write its value"
            )
        self._add(value or "")

    def _redirection(self) -> None:
        found = re.compile(r"[<>]*(&[0-9-])?").match(self.text, self.at)
        self.at = found.end() if found else self.at
        if self.word is not None and self.word.isdigit():
            self.word = None
        self._end_word()
        # before every word it is a prompt, as in "> accelerate launch"
        self.target_of_redirection = bool(self.words) and (found is None or not found.group(1))

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _add(self, text: str) -> None:
        self.word = (self.word or "") + text

    def _end_word(self) -> None:
        if self.word is not None and not self.target_of_redirection:
            self.words.append(self.word)
        if self.word is not None:
            self.target_of_redirection = False
        self.word = None

    def _end_statement(self) -> None:
        self._end_word()
        self.target_of_redirection = False
        words, notebook = _without_marks(self.words), self.notebook
        self.words, self.notebook = [], False
        if len(words) == 3 and words[1] == "=" and not notebook:
            words = [f"{words[0]}={words[2]}"]  # Python, in a notebook's cell
        while words and (found := ASSIGNMENT.fullmatch(words[0])):
            self.environment[found.group(1)] = found.group(2)
            words = words[1:]
        if words:
            self.read.statements.append(words)


def _without_marks(words: list[str]) -> list[str]:
    """The words without a prompt's $ and without what makes an assignment reach other programs."""
    if words[:1] == ["$"]:
        words = words[1:]
    if words[:1] in (["%env"], ["%set_env"]) and len(words) > 2 and "=" not in words[1]:
        return [f"{words[1]}={' '.join(words[2:])}"]
    sets = ("export", "set", "env", "%env", "%set_env")
    return words[1:] if words[:1] and words[0] in sets and "=" in "".join(words[1:2]) else words


def _masked(text: str) -> str:
    """The text without what looks like an access token."""
    return re.sub(r"hf_\w+", "hf_…", text)
