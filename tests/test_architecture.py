"""The pages name modules, functions, files and flags that exist."""

import ast
import re
from pathlib import Path

import pytest
from test_rooms import ARROWS

import checkCube
import compareRuns
import labelVertebrae
import makeCube
import predict
import train

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLAGS = (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
SCRIPTS = (makeCube, checkCube, train, predict, labelVertebrae, compareRuns)


def code_spans(page):
    """List what stands between backquotes outside code blocks."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"`([^`]+)`", text)


def defined_names(body):
    """Map the names that a module or class defines to their nodes."""
    names = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] = node
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        names |= {t.id: node for t in targets if isinstance(t, ast.Name)}
    return names


def exists(dotted_name):
    """Return whether `room.module`, or a name in it, exists."""
    parts = dotted_name.split(".")
    path = ROOT
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if not parts:
        return True
    path = path / f"{parts.pop(0)}.py"
    if not path.is_file():
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for part in parts:
        names = defined_names(body)
        if part not in names:
            return False
        body = getattr(names[part], "body", [])
    return True


def test_names_that_do_not_exist_are_found():
    assert exists("cube.writer.CubeWriter.add")
    assert exists("evaluation.metrics.METRICS")
    assert exists("volumes.formats")
    assert not exists("cube.nothing")
    assert not exists("cube.writer.nothing")
    assert not exists("cube.writer.CubeWriter.nothing")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_and_function_on_a_page_exists(page):
    rooms = "|".join(ARROWS)
    names = [s for s in code_spans(page) if re.fullmatch(rf"({rooms})(\.\w+)+", s)]
    names = [name for name in names if ".h5" not in name]  # cube.h5 is a file

    assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_import_in_an_example_exists(page):
    text = page.read_text(encoding="utf-8")
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    assert exists(f"{node.module}.{alias.name}"), alias.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_on_a_page_exists(page):
    folders = "|".join([*ARROWS, "docs", "tests", "benchmarks"])
    words = [word for span in code_spans(page) for word in span.split()]
    paths = [word for word in words if re.fullmatch(rf"({folders})/[\w./-]*", word)]

    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_heading(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_of_a_page_have_at_most_120_columns(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)  # tables of real output
    lines = [line for line in text.splitlines() if not line.startswith("|")]

    assert [line for line in lines if len(line) > 120] == []


def test_architecture_page_shows_the_table_of_rooms():
    section = ARCHITECTURE.split("## Rooms and imports")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", section, re.MULTILINE)

    assert {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows} == ARROWS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_flags_page_lists_every_flag_of_a_script(script, capsys):
    with pytest.raises(SystemExit, match="0"):
        script.parse_args(["--help"])
    lines = re.findall(r"^  (--.*?)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    flags = {flag for line in lines for flag in re.findall(r"--[a-z-]+", line)}
    section = FLAGS.split(f"\n## {script.__name__}.py\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`--.*?) \|", section, re.MULTILINE)

    assert flags == {flag for cell in cells for flag in re.findall(r"--[a-z-]+", cell)}


def test_readme_is_one_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200


def test_make_installs_again_where_an_included_file_of_requirements_changed():
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    included = re.findall(r"^-r (\S+)", text, re.MULTILINE)
    rules = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    rule = re.search(r"^\.venv/installed-dev:(.*)$", rules, re.MULTILINE)

    assert {"requirements-dev.txt", *included} <= set(rule[1].split())
