"""Reading a command line: a wrong flag or value is answered in one line."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

LEAST_LIKENESS = 0.6  # as of difflib: 0 for nothing in common, 1 for equal words
OF_ARGPARSE = ("the following arguments", "unrecognized arguments", "one of the")


class CommandLine(argparse.ArgumentParser):
    """Parser of a script's flags.

    A mistake ends the script with exit code 2 and one line: what is wrong and, for a
    misspelt flag or choice, which one is nearest. `--help` alone prints the flags.
    Flags must be written out.

    Args:
        description: What the script does, printed as it is; its docstring.
        prog: Its name; by default its file's.
        epilog: What stands below the flags.
    """

    def __init__(
        self,
        description: str | None,
        *,
        prog: str | None = None,
        epilog: str | None = None,
    ):
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._words: list[str] = []
        self.register("type", int, _converter(int, "a whole number"))
        self.register("type", float, _converter(float, "a number"))

    def parse_args(
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """Parse; a flag that does not exist is found before one that is missing."""
        words = sys.argv[1:] if args is None else list(args)
        self._words = words
        flags = list(self._option_string_actions)
        for word in words[: words.index("--")] if "--" in words else words:
            flag = word.partition("=")[0]
            if re.match("--?[a-zA-Z]", flag) and flag not in flags:
                self._check_without_flag(flag)
                hint = nearest(flag, flags) or " --help lists them."
                self.error(f"{flag} is not one of the flags.{hint}")
        return super().parse_args(words, namespace)

    def _check_without_flag(self, flag: str) -> None:
        """Exit if a word would be a flag of what is given without one."""
        name = flag.lstrip("-").lower()
        if name in (action.dest for action in self._get_positional_actions()):
            self.error(f"{name.upper()} is given without a flag. Received: {flag}")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Check that a value is one of its flag's choices."""
        choices = [str(choice) for choice in action.choices or ()]
        if choices and str(value) not in choices:
            listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
            hint = nearest(str(value), choices)
            message = f"must be {listed}. Received: {value}.{hint}"
            raise argparse.ArgumentError(action, message)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, in one line without the usage, and exit with code 2."""
        message = re.sub(r"^argument (\S+): ", r"\1 ", message)
        message += self._hint_at_order(message)
        if message.startswith(OF_ARGPARSE):  # others may begin with a path
            message = f"{message[:1].upper()}{message[1:]}"
        self.exit(2, f"{message}\n")

    def _hint_at_order(self, message: str) -> str:
        """Report that a missing name must not follow a flag that takes several."""
        missing = message.partition("arguments are required: ")[2].split(", ")[0]
        takers = [
            flag
            for flag in self._words
            if flag in self._option_string_actions
            and self._option_string_actions[flag].nargs in ("+", "*")
        ]
        if not missing or missing.startswith("-") or not takers:
            return ""
        return f". Put {missing} before {takers[0]}, which takes all names after it."


def _converter(convert: Callable[[str], float], what: str) -> Callable[[str], float]:
    """Return a conversion that says what a word must be."""

    def convert_or_refuse(word: str) -> float:
        try:
            return convert(word)
        except ValueError:
            message = f"must be {what}. Received: {word}"
            raise argparse.ArgumentTypeError(message) from None

    return convert_or_refuse


def nearest(word: str, known: Iterable[str]) -> str:
    """Ask whether the most similar of some words was meant.

    Args:
        word: What was received.
        known: What could have been meant.

    Returns:
        A question that follows a sentence; empty if no word is similar.
    """
    # Without their dashes, which would make all flags similar.
    known = {each.lstrip("-"): each for each in known}
    word = word.lower().lstrip("-")
    begun = [each for each in known if each.startswith(word)]
    if len(begun) != 1:
        begun = difflib.get_close_matches(word, known, 1, LEAST_LIKENESS)
    return f" Did you mean {known[begun[0]]}?" if begun else ""
