"""Rendering a page as one file: its styles and script inside, its pictures beside it.

Every text is escaped, since a case may be called "<script>".
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from system.atomic import atomic_text

FOLDER = Path(__file__).parent


def write_page(path: Path, template: str, page: object) -> None:
    """Render a page and write it atomically.

    Args:
        path: The file of HTML.
        template: Name of its template, without suffixes.
        page: What the template shows, there called `page`.

    Raises:
        OutputError: If the file cannot be written.
    """
    text = _environment().get_template(f"{template}.html.j2").render(page=page)
    with atomic_text(path) as stream:
        stream.write(text)


def quote_link(path: str) -> str:
    """Return a relative path, with "/" between its parts, as the target of a link.

    >>> quote_link("a b/50 % #1.png")
    'a%20b/50%20%25%20%231.png'
    """
    return quote(path, errors="surrogateescape")


def keep_flags(text: str) -> Markup:
    """Escape a text, and mark its flags, which a line must not break at a hyphen.

    >>> keep_flags("--loss dice-ce <a>")
    Markup('<span>--loss</span> dice-ce &lt;a&gt;')
    """
    escaped = str(escape(text))
    return Markup(re.sub(r"(?<!\S)--[\w-]+", r"<span>\g<0></span>", escaped))


def keep_names(text: str) -> Markup:
    """Escape a text, and mark its short words with a hyphen, such as UNet-3D.

    >>> keep_names("UNet-3D & a-very-long-name-of-a-run")
    Markup('<span>UNet-3D</span> &amp; a-very-long-name-of-a-run')
    """
    name = r"(?<![\w-])(?=[\w-]{3,16}(?![\w-]))\w+(-\w+)+"
    return Markup(re.sub(name, r"<span>\g<0></span>", str(escape(text))))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "link": quote_link,
        "flags": keep_flags,
        "names": keep_names,
    }
    for name, file in (("style", "style.css"), ("script", "page.js")):
        text = (FOLDER / file).read_text(encoding="utf-8")
        environment.globals[name] = Markup(text.rstrip())
    return environment
