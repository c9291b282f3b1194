import codecs
import unicodedata

import pytest

from cube.list_text import read_list, split_columns
from cube.pairs import list_notes, read_pairs
from system.errors import DataError

PAIR = "c1.nrrd,c1_label.nrrd"
UMLAUT = "Müller.nrrd,Müller_label.nrrd"
LINES = [PAIR, UMLAUT]


@pytest.fixture
def folder(tmp_path):
    """Two scans and their label maps, one with an umlaut in one character."""
    for line in LINES:
        for name in line.split(","):
            (tmp_path / unicodedata.normalize("NFC", name)).touch()
    return tmp_path


def read(folder, content):
    path = folder / "pairs.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [pair.case_id for pair in read_pairs(path)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be with its mark"]
)
def test_list_is_read_in_utf_8_or_with_a_byte_order_mark(folder, encoding):
    content = "\r\n".join(LINES)
    encoded = (
        codecs.BOM_UTF16_BE + content.encode("utf-16-be")
        if "mark" in encoding
        else content.encode(encoding)
    )

    assert read(folder, encoded) == ["c1", "Müller"]


def test_list_of_another_encoding_is_refused_with_its_line_and_the_way_out(folder):
    with pytest.raises(
        DataError, match=r"must be UTF-8 text.*byte 0xfc in line 2"
    ) as e:
        read(folder, "\r\n".join(LINES).encode("cp1252"))

    assert "cp1252" in str(e.value)
    assert f"reads '{UMLAUT}'" in str(e.value)
    assert '"CSV UTF-8"' in str(e.value)
    assert "iconv -f CP1252 -t UTF-8 pairs.txt" in str(e.value)


@pytest.mark.parametrize(
    "content", [b"\x89HDF\r\n", b"\x1f\x8b\x08 of gzip", b"image\x02,\xff\xfe,label"]
)
def test_file_of_another_kind_is_no_list(folder, content):
    with pytest.raises(DataError, match=r"must be a pair list, .* image,label .*kind$"):
        read(folder, content)


def test_scan_is_no_list(folder):
    (folder / "image.nrrd").write_text("NRRD0004\n")

    with pytest.raises(DataError, match=r"image.nrrd: must be a pair list"):
        read_list(folder / "image.nrrd")


def test_utf_16_without_a_mark_or_damaged_is_refused(folder):
    with pytest.raises(DataError, match="as in UTF-16 without a byte order mark"):
        read(folder, PAIR.encode("utf-16-le"))
    with pytest.raises(DataError, match="a damaged utf-16"):
        read(folder, PAIR.encode("utf-16") + b"\0")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_name_is_found_in_either_unicode_form(tmp_path, form, stored):
    folder = tmp_path / unicodedata.normalize(stored, "Zoë")
    folder.mkdir()
    for name in ("é.nrrd", "é_label.nrrd"):
        (folder / unicodedata.normalize("NFC", name)).touch()
    line = unicodedata.normalize(form, "Zoë/é.nrrd,Zoë/é_label.nrrd")

    # The id decides what is drawn, so that it does not depend on the disk.
    assert read(tmp_path, line) == ["\u00e9"]


@pytest.mark.parametrize(
    "heading",
    [
        "image,label",
        "Image , Label, Subject",
        "IMAGE,LABEL,SUBJECT,SPLIT",
        "image,label,split",
        '"image","label"',
        "image_path,label_path,patient_id",
        "Scan,Segmentation,,",
    ],
)
def test_row_of_headings_is_skipped(folder, heading):
    assert read(folder, "\n".join(["# mine", heading, *LINES])) == ["c1", "Müller"]


@pytest.mark.parametrize(
    ("heading", "received"),
    [("label,image", "label,image"), ("Subject,Image,Label", "subject,image,label")],
)
def test_columns_in_another_order_are_refused(folder, heading, received):
    with pytest.raises(DataError, match=f"in this order. Received: {received}"):
        read(folder, "\n".join([heading, *LINES]))


@pytest.mark.parametrize(
    ("separator", "name"),
    [
        *((";", "semicolons"), ("; ", "semicolons"), ("|", "bars")),
        *(("\t", "tabs"), (" \t", "tabs"), (" ", "blanks"), ("   ", "blanks")),
        ("，", "full-width"),
    ],
)
@pytest.mark.parametrize("heading", ["", "image,label\n"])
def test_another_separator_is_refused_once_by_name(folder, separator, name, heading):
    text = heading.replace(",", separator) + "\n".join(LINES).replace(",", separator)
    more = "2 more lines" if heading else "1 more line"

    with pytest.raises(DataError, match="1 fault in the pair list") as caught:
        read(folder, text)

    fault = str(caught.value).splitlines()[1]
    assert fault.startswith("  line 1: columns must be separated by commas. Received: ")
    assert name in fault
    assert fault.endswith(f"and {more}")


def test_semicolon_or_blank_in_a_name_is_no_separator(tmp_path):
    for name in ("a;b.nrrd", "a b.nrrd", "x.nrrd;y.nrrd", "l 1.nrrd"):
        (tmp_path / name).touch()

    assert read(tmp_path, '"x.nrrd;y.nrrd",a b.nrrd\na;b.nrrd,l 1.nrrd') == [
        "x.nrrd;y",
        "a;b",
    ]


@pytest.mark.parametrize("end", [",", ",,", ",,,", ",,,,,,", ' , ,""'])
def test_empty_columns_and_rows_of_a_spreadsheet_are_ignored(folder, end):
    rows = ["sep=,", *(line + end for line in LINES), ",,,", '"",""', ";;;", "\t\t"]

    assert read(folder, "\n".join(rows)) == ["c1", "Müller"]


def test_subject_that_may_be_a_misspelt_split_is_noted(folder):
    words = ("validaton", "VAL", "trian", "test1", "Anna", "va", "train")
    for number in range(len(words)):
        for kind in ("image", "label"):
            (folder / f"{kind}{number}.nrrd").touch()
    lines = [f"image{n}.nrrd,label{n}.nrrd,{word}" for n, word in enumerate(words)]
    (folder / "pairs.txt").write_text("\n".join(lines))

    assert list_notes(read_pairs(folder / "pairs.txt")) == [
        "line 1: 'validaton' was taken for a subject. Did you mean the split "
        "validation?",
        "line 2: 'VAL' was taken for a subject. Did you mean the split validation?",
        "line 3: 'trian' was taken for a subject. Did you mean the split train?",
    ]


def test_third_column_is_a_split_where_the_heading_says_so(folder):
    with pytest.raises(
        DataError,
        match=r"line 2: the split must be .*'val'. Did you mean validation\?",
    ):
        read(folder, f"image,label,split\n{PAIR},val\n{UMLAUT},train\n")


def test_line_with_an_escape_sequence_is_refused():
    columns, fault = split_columns("a.nrrd,b.nrrd,ann\x1b[2J,train")

    assert columns == []
    assert "without control characters. Received: 'a.nrrd,b.nrrd,ann\\x1b" in fault
