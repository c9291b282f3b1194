import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from support.places import ROOT

from system.command_line import CommandLine, nearest

SCRIPTS = ("makeCube", "checkCube", "train", "predict", "labelVertebrae", "compareRuns")


@pytest.fixture
def parser():
    parser = CommandLine("What it does.", prog="tool.py")
    parser.add_argument("scan", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    group = parser.add_argument_group("network")
    group.add_argument("--copies", type=int)
    group.add_argument("--minutes", type=float)
    group.add_argument("--model", choices=("unet2d", "unet3d", "both"))
    group.add_argument("--weights", nargs="+")
    return parser


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("a --output b --copis 3", "--copis is not one of the flags. Did you mean "
         "--copies?"),
        ("a --output b --Copies=3", "--Copies is not one of the flags. Did you mean "
         "--copies?"),
        ("a --output b --min 3", "--min is not one of the flags. Did you mean "
         "--minutes?"),
        ("a --outptu b", "--outptu is not one of the flags. Did you mean --output?"),
        ("--scan=a --output b", "SCAN is given without a flag. Received: --scan"),
        # Its dashes alone make it like --copies.
        ("a --output b --close", "--close is not one of the flags. --help lists them."),
        ("a --output b -x", "-x is not one of the flags. --help lists them."),
        ("a --output b --model unet3", "--model must be unet2d, unet3d or both. "
         "Received: unet3. Did you mean unet3d?"),
        ("a --output b --model x", "--model must be unet2d, unet3d or both. "
         "Received: x."),
        ("a --output b --copies 2.5", "--copies must be a whole number. Received: 2.5"),
        ("a --output b --minutes ten", "--minutes must be a number. Received: ten"),
        ("a --output", "--output expected one argument"),
        ("a", "The following arguments are required: --output"),
        ("--weights w a --output b", "The following arguments are required: scan. Put "
         "scan before --weights, which takes all names after it."),
        ("a --weights w c", "The following arguments are required: --output"),
        ("a c --output b", "Unrecognized arguments: c"),
    ],
)  # fmt: skip
def test_mistake_is_answered_in_one_line_with_the_nearest_word(
    parser, command, answer, capsys
):
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(command.split())

    assert capsys.readouterr() == ("", answer + "\n")


def test_message_may_begin_with_a_path(parser, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser.error("run2 must exist")

    assert capsys.readouterr().err == "run2 must exist\n"


def test_what_follows_two_dashes_and_negative_numbers_are_values(parser):
    args = parser.parse_args(["--output", "b", "--minutes", "-3", "--", "--copis"])

    assert (str(args.scan), args.minutes) == ("--copis", -3.0)


def test_right_command_line_is_parsed_from_the_arguments_of_the_process(
    parser, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["tool.py", "a", "--output=b", "--model", "both"])

    args = parser.parse_args()

    assert vars(args) == {
        "scan": Path("a"),
        "output": Path("b"),
        "copies": None,
        "minutes": None,
        "model": "both",
        "weights": None,
    }


@pytest.mark.parametrize(
    ("word", "question"),
    [
        ("mode", " Did you mean model?"),  # begins only one
        ("mo", " Did you mean model?"),
        ("m", ""),  # begins two, and is like neither
        ("mimutes", " Did you mean minutes?"),
        ("depth", ""),
    ],
)
def test_nearest_word_begins_alike_or_is_alike(word, question):
    assert nearest(word, ["model", "minutes", "output"]) == question


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_answers_in_one_line(script, capsys):
    with pytest.raises(SystemExit, match="2"):
        importlib.import_module(script).parse_args(["a", "--outputs", "b"])

    assert capsys.readouterr().err == (
        "--outputs is not one of the flags. Did you mean --output?\n"
    )


def test_phantoms_are_named_by_their_command():
    command = [sys.executable, "-m", "phantom", "--case", "3"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr == "--case is not one of the flags. Did you mean --cases?\n"
