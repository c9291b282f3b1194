import pytest
from support.places import SHARED

from cube.pairs import read_pairs
from system.errors import DataError

REAL_LISTS = SHARED / "data" / "pairs"


@pytest.fixture
def folder(tmp_path):
    """Two folders of a scan and its label map, and loose files beside the list."""
    for case in ("A1", "B2"):
        (tmp_path / case).mkdir()
        (tmp_path / case / "image.nrrd").touch()
        (tmp_path / case / "label.seg.nrrd").touch()
    for name in ("a.nrrd", "b.nrrd", "c.nii.gz", "d.nii", "one, two.nrrd", "(1).nrrd"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder, text):
    path = folder / "pairs.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(pairs):
    return [(pair.image.name, pair.label.name) for pair in pairs]


def test_a_line_gives_image_label_subject_and_split(folder):
    path = write(folder, "a.nrrd,b.nrrd,Ann,train\nc.nii.gz,d.nii\n")

    first, second = read_pairs(path)

    assert (first.image, first.label) == (folder / "a.nrrd", folder / "b.nrrd")
    assert (first.case_id, first.subject, first.split) == ("a", "Ann", "train")
    assert (second.case_id, second.subject, second.split) == ("c", "c", None)
    assert (first.line, second.line) == (1, 2)


@pytest.mark.parametrize(
    "line",
    [
        "a.nrrd,b.nrrd",
        "  a.nrrd ,\tb.nrrd  ",
        "(a.nrrd),(b.nrrd)",
        "( a.nrrd ) , ( b.nrrd )",
        '"a.nrrd","b.nrrd"',
        '("a.nrrd"), "b.nrrd"',
        "./a.nrrd,A1/../b.nrrd",
        "A1\\..\\a.nrrd,.\\b.nrrd",
        "a.nrrd,b.nrrd,",
        "a.nrrd,b.nrrd,,",
    ],
)
def test_name_is_found_with_spaces_parentheses_quotes_and_backslashes(folder, line):
    (pair,) = read_pairs(write(folder, line))

    assert pair.image.samefile(folder / "a.nrrd")
    assert pair.label.samefile(folder / "b.nrrd")
    assert pair.subject == "a"


def test_names_with_commas_and_parentheses_are_found(folder):
    pairs = read_pairs(write(folder, '"one, two.nrrd",(1).nrrd'))

    assert names(pairs) == [("one, two.nrrd", "(1).nrrd")]


def test_tilde_is_expanded_to_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "A1"))

    (pair,) = read_pairs(write(folder, "~/image.nrrd,~/label.seg.nrrd"))

    assert pair.image == folder / "A1" / "image.nrrd"


def test_byte_order_mark_line_ends_comments_and_empty_lines_are_ignored(folder):
    text = b"\xef\xbb\xbf# a list\r\n\r\na.nrrd,b.nrrd\r\n   \r\n  # more\r\n"

    (pair,) = read_pairs(write(folder, text))

    assert pair.image.name == "a.nrrd"
    assert pair.line == 3


def test_split_may_follow_without_a_subject(folder):
    text = "a.nrrd,b.nrrd,,test\nc.nii.gz,d.nii,Validation\n"

    first, second = read_pairs(write(folder, text))

    assert (first.subject, first.split) == ("a", "test")
    assert (second.subject, second.split) == ("c", "validation")


def test_subject_spelled_in_two_ways_is_one_subject_or_a_fault(folder):
    composed, apart = "Zo\u00e9", "Zoe\u0301"  # alike on the screen
    lines = "a.nrrd,b.nrrd,{}\nc.nii.gz,d.nii,{}\n"

    first, second = read_pairs(write(folder, lines.format(composed, apart)))
    assert first.subject == second.subject

    with pytest.raises(
        DataError, match=r"the same on all lines\. Received: 'p1', and 'P1' on line 1"
    ):
        read_pairs(write(folder, lines.format("P1", "p1")))


def test_all_faults_are_listed_at_once_with_their_lines(folder):
    text = (
        "a.nrrd,b.nrrd,Ann,train\n"
        "missing.nrrd,A1/label.seg.nrrd\n"
        "alone.nrrd\n"
        "a.nrrd,B2/label.seg.nrrd\n"
        "c.nii.gz,d.nii,Bob,holdout\n"
        "A1/image.nrrd,(1).nrrd,Ann,test\n"
        "B2/image.nrrd,pairs.txt\n"
        'a.nrrd,"b.nrrd\n'
        ",b.nrrd\n"
        "1,2,3,4,5\n"
        "(1).nrrd,\0.nrrd\n"
        f"{'x' * 5000}.nrrd,{'y' * 5000}.nrrd\n"
    )

    with pytest.raises(DataError, match="12 faults in the pair list") as caught:
        read_pairs(write(folder, text))

    lines = str(caught.value).splitlines()
    expected = [
        ("line 2", "image", "missing.nrrd does not exist"),
        ("line 3", "image,label", "1 column"),
        ("line 4", "used once", "also the image of line 1"),
        ("line 5", "train, validation, test", "'holdout'"),
        ("line 6", "one split", "'Ann' in test, and in train on line 1"),
        ("line 7", "must end in one of", "pairs.txt"),
        ("line 8", "quotes must come in pairs", ""),
        ("line 9", "must both be named", ""),
        ("line 10", "image,label", "5 columns"),
        ("line 11", "must be plain text", ""),
        ("line 12", "the image", "does not exist"),
        ("line 12", "the label", "does not exist"),
    ]
    assert len(lines) == 1 + len(expected)
    for line, words in zip(lines[1:], expected, strict=True):
        assert all(word in line for word in words)


def test_cases_without_subject_are_different_subjects_in_a_faulty_list_too(folder):
    text = "a.nrrd,b.nrrd,,train\nc.nii.gz,d.nii,,test\nmissing.nrrd,(1).nrrd,,test\n"

    with pytest.raises(DataError, match=r"1 fault in the pair list\.\n.*missing"):
        read_pairs(write(folder, text))


def test_only_the_first_of_many_faults_are_listed(folder):
    text = "".join(f"none{number}.nrrd,b.nrrd\n" for number in range(60))

    with pytest.raises(DataError, match="119 faults in the pair list") as caught:
        read_pairs(write(folder, text))

    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 50 + 1
    assert lines[-1] == "  and 69 more"


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("a,b\n" * 20_001, "20001 lines in 80004 bytes"),
        ("a,b\r\n" * 20_001, "20001 lines in 100005 bytes"),
        ("x" * (2**23 + 9), "1 lines in more than 8388608 bytes"),
    ],
    ids=["lines", "lines of Windows", "bytes"],
)
def test_list_that_is_too_long_is_refused(folder, text, received):
    with pytest.raises(DataError, match=f"at most 20000 lines .* Received: {received}"):
        read_pairs(write(folder, text))


def test_line_that_is_too_long_is_a_fault(folder):
    with pytest.raises(DataError, match=r"line 1: a line must be .* 20000 char"):
        read_pairs(write(folder, "," * 20_001))


def test_a_file_used_as_image_and_label_or_through_a_link_is_a_fault(folder):
    (folder / "link.nrrd").symlink_to(folder / "a.nrrd")

    with pytest.raises(DataError, match="2 faults") as caught:
        read_pairs(write(folder, "a.nrrd,a.nrrd\nlink.nrrd,b.nrrd\n"))

    assert "is also the image of line 1" in str(caught.value)


def test_label_map_may_be_shared_by_scans_of_one_subject_only(folder):
    shared = "a.nrrd,b.nrrd,{}\nc.nii.gz,b.nrrd,{}\n"

    first, second = read_pairs(write(folder, shared.format("p1", "p1")))

    assert first.label == second.label
    assert [first.case_id, second.case_id] == ["a", "c"]
    for subjects in (("p1", "p2"), ("", ""), ("p1", "")):
        with pytest.raises(
            DataError, match=r"line 2: .*one subject only.*line 1; give both.*third"
        ):
            read_pairs(write(folder, shared.format(*subjects)))


def test_image_of_one_subject_is_used_once_and_is_no_label_map(folder):
    text = "a.nrrd,b.nrrd,p\na.nrrd,d.nii,p\nb.nrrd,c.nii.gz,p\n"

    with pytest.raises(DataError, match="2 faults") as caught:
        read_pairs(write(folder, text))

    assert "line 2: a file must be used once" in str(caught.value)
    assert "b.nrrd is also the label of line 1" in str(caught.value)


def test_folder_in_the_place_of_a_file_is_a_fault(folder):
    (folder / "folder.nrrd").mkdir()

    with pytest.raises(
        DataError, match=r"line 1: the label .*folder.nrrd is not a file"
    ):
        read_pairs(write(folder, "a.nrrd,folder.nrrd"))


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a remark\n"])
def test_an_empty_list_is_refused(folder, text):
    with pytest.raises(DataError, match="at least one line"):
        read_pairs(write(folder, text))


def test_list_that_is_missing_or_not_text_is_refused(folder):
    with pytest.raises(DataError, match="No such file"):
        read_pairs(folder / "none.txt")
    with pytest.raises(DataError, match="must be UTF-8 text"):
        read_pairs(write(folder, "ä.nrrd,b.nrrd".encode("latin-1")))


@pytest.mark.skipif(not REAL_LISTS.is_dir(), reason="the real scans are not here")
def test_the_lists_of_the_real_scans_are_read():
    lists = sorted(REAL_LISTS.glob("*.txt"))

    assert lists
    for path in lists:
        wanted = [line for line in path.read_text().splitlines() if line]
        assert len(read_pairs(path)) == len(wanted)


def test_labels_line_states_what_the_values_of_the_next_lines_mean(folder):
    (folder / "A1" / "my table.csv").write_text("id,structure\n7,vertebrae_L1\n")
    path = write(
        folder,
        "a.nrrd,b.nrrd\n"
        "labels: verse\n"
        "A1/image.nrrd,A1/label.seg.nrrd\n"
        'Labels : "A1/my table.csv"\n'
        "B2/image.nrrd,B2/label.seg.nrrd,x,test\n"
        "labels:none\n"
        "c.nii.gz,d.nii\n",
    )

    tables = [pair.label_table for pair in read_pairs(path)]

    assert tables[0] is tables[3] is None
    assert (tables[1].name, tables[1].names[20]) == ("verse", "L1")
    assert (tables[2].name, tables[2].names) == ("my table.csv", {7: "L1"})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("labels: vers", "Received: 'vers'. Did you mean verse?"),
        ("labels: slicer", "verse, totalsegmentator, none or a CSV file. .*'slicer'"),
        ("labels:", "none or a CSV file. Received: ''"),
        ("labels: none.csv", "none.csv: could not be read: No such file"),
        ("labels: bad.csv", "bad.csv: line 2 must have a value"),
    ],
)
def test_faulty_labels_line_is_refused_with_its_number(folder, line, message):
    (folder / "bad.csv").write_text("4,L1\nx,L2\n")

    with pytest.raises(DataError, match=f"line 2: .*{message}"):
        read_pairs(write(folder, f"a.nrrd,b.nrrd\n{line}\nc.nii.gz,d.nii"))


def test_file_that_is_called_like_a_statement_stands_in_quotes(folder):
    (folder / "labels: verse.nrrd").touch()

    (pair,) = read_pairs(write(folder, '"labels: verse.nrrd",b.nrrd'))

    assert pair.image.name == "labels: verse.nrrd"
