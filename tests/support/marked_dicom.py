"""DICOM series whose fields name a patient, for tests that no output does."""

import warnings

from support.dicom_files import ct_slices

# Of each kind of value that may hold text, a value that cannot come from elsewhere.
TEXTS = {
    **dict.fromkeys(["PN", "LO", "LT", "ST", "UT", "UC", "SH"], "ZEBRA"),
    **{"AE": "ZEBRA", "AS": "077Y", "UR": "http://zebra.org", "DA": "19770131"},
    **{"DT": "19770131112233", "TM": "112233.777", "UI": "1.2.777.777"},
}
MARKS = ("zebra", "077y", "1977", "112233", "777.777", "quagga")
# The reader compares these UIDs, and they must name one series.
KEPT = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def identified_slices(slices=None, **changes):
    """The CT with a text in each field of the dictionary that takes one."""
    import pydicom
    from pydicom.datadict import DicomDictionary

    slices = ct_slices(**changes) if slices is None else slices
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in slices:
            for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
                is_data = 0x00080000 <= tag < 0x7FE00000 and keyword not in KEPT
                if vr in TEXTS and is_data and keyword not in one:
                    one.add_new(tag, vr, TEXTS[vr])
            block = one.private_block(0x0009, "ZEBRA GmbH", create=True)
            block.add_new(1, "PN", "QUAGGA^ZEBRA")
            block.add_new(2, "OB", b"QUAGGA")
            private = pydicom.Dataset()
            private.PatientName = "QUAGGA"
            block.add_new(3, "SQ", [private])
            one.OtherPatientIDsSequence = [private]
            for keyword in KEPT[1:]:
                one[keyword].value = f"1.2.777.777.{one[keyword].value}"
            one.file_meta.PrivateInformationCreatorUID = "1.2.777.777"
            one.file_meta.PrivateInformation = b"ZEBRA"
            one.file_meta.SourceApplicationEntityTitle = "ZEBRA"
    return slices


def check(text):
    """Raise if a text holds anything of the patient."""
    assert not [mark for mark in MARKS if mark in text.lower()]
