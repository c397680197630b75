"""Write the README's tables of columns and of rules from the code: ``make readme``."""

from __future__ import annotations

from pathlib import Path

from casesnb.schema import TABLES, Table
from casesnb.wire.redact.rules import RULES

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- columns: begin"
END = "<!-- columns: end -->"


def section(table: Table) -> str:
    """One table as a block that opens on click."""
    rows = "\n".join(
        f"| `{column.name}` | {column.dtype} | {column.meaning} |".replace("|None", "")
        for column in table.columns
    )
    return (
        f"<details><summary><b>{table.name}</b>: {table.grain}</summary>\n\n"
        f"| column | dtype | meaning |\n|---|---|---|\n{rows}\n\n</details>"
    )


def rules() -> str:
    """The rules of redaction as one table."""
    rows = "\n".join(
        f"| `{rule.name}` | {rule.covers} | {rule.becomes} |" for rule in RULES
    )
    return f"| rule | covers | what becomes of it |\n|---|---|---|\n{rows}"


def refreshed(readme: str) -> str:
    """The README with its tables as the code has them."""
    blocks = "\n".join(section(table) for table in TABLES)
    readme = _between(readme, BEGIN, END, blocks)
    return _between(readme, "<!-- rules: begin", "<!-- rules: end -->", rules())


def _between(readme: str, begin: str, end: str, block: str) -> str:
    head, _, rest = readme.partition(begin)
    marker, _, rest = rest.partition("\n")
    tail = rest.partition(end)[2]
    return f"{head}{begin}{marker}\n{block}\n{end}{tail}"


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text("utf-8")), "utf-8")
