"""Record and execute the notebooks again: ``make notebooks``.

First every notebook runs on the sandbox while the public recorder keeps what is
asked (``cn.connect("recordings/")`` then answers from the sandbox). Then every
notebook runs as a reader would, from the recordings, and its outputs are stored.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
RECORDINGS = NOTEBOOKS / "recordings"
WORLD = "cn.sandbox.World(seed=7)"

RECORDER = f"""
import casesnb as cn
_connect = cn.connect
def _recorded(source=None, **how):
    if source == "recordings/":
        return _connect({WORLD}, record="recordings/", **how)
    return _connect(source, **how)
cn.connect = _recorded
del cn
"""


def run(path: Path, *, first: str | None = None) -> nbformat.NotebookNode:
    """Execute one notebook in its folder, after the code `first` if given."""
    notebook = nbformat.read(path, as_version=4)
    if first is not None:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    client.execute()
    return notebook


def main(names: list[str]) -> None:
    paths = [
        path
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
        if not names or path.stem in names
    ]
    if not names:
        shutil.rmtree(RECORDINGS, ignore_errors=True)
    for path in paths:
        if "recordings/" in path.read_text("utf-8"):
            print(f"recording {path.name}")
            run(path, first=RECORDER)
    for path in paths:
        print(f"executing {path.name}")
        notebook = run(path)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number}"  # a run changes nothing but outputs
        notebook.metadata = {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            **{k: v for k, v in notebook.metadata.items() if k == "widgets"},
        }
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
