"""Write the README's column tables from the schema: ``make readme``."""

from __future__ import annotations

from pathlib import Path

from casesnb.schema import TABLES, Table

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


def refreshed(readme: str) -> str:
    """The README with its column tables as the schema has them."""
    head, _, rest = readme.partition(BEGIN)
    marker, _, rest = rest.partition("\n")
    _, _, tail = rest.partition(END)
    blocks = "\n".join(section(table) for table in TABLES)
    return f"{head}{BEGIN}{marker}\n{blocks}\n{END}{tail}"


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text("utf-8")), "utf-8")
