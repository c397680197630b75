"""What casesnb's functions return and take, for annotations."""

from casesnb.tables.archive_plan import Plan, Update
from casesnb.tables.certificate import Certificate
from casesnb.tables.filters import CaseFilter
from casesnb.tables.names import Catalogue
from casesnb.tables.notes import Note
from casesnb.view.report.verify import Verification
from casesnb.view.timeline.widget import Timeline

__all__ = [
    "CaseFilter",
    "Catalogue",
    "Certificate",
    "Note",
    "Plan",
    "Timeline",
    "Update",
    "Verification",
]


def __dir__() -> list[str]:
    return __all__
