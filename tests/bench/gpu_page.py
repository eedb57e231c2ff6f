"""The results of tests/bench/gpu as they come: DIR/performance.md, a section for the page of that
name in docs/, and DIR/figures.json, which has each single sample.

Both are written anew after each row, so that a run that is ended leaves what it has.
"""

import json
import math
import os
import threading


def finite(value):
    """Of what JSON cannot hold, nothing."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Page:
    def __init__(self, folder):
        self.folder = folder
        self.head, self.notes = [], []
        self.sections, self.figures = {}, []
        self.lock = threading.Lock()

    def row(self, section, columns, cells, place=None, **figures):
        """`place` orders the rows of a section, which may come in any order."""
        with self.lock:
            _, rows = self.sections.setdefault(section, (columns, []))
            rows.append((len(rows) if place is None else place,
                         [str(c).replace("|", "\\|") for c in cells]))
            rows.sort(key=lambda row: row[0])
            self.figures.append({"section": section, **{k: finite(v) for k, v in figures.items()}})
            print("  ".join(str(c) for c in cells if c != ""), flush=True)
            self.write()

    def note(self, text):
        """A sentence of what was left out or failed, below the tables."""
        with self.lock:
            self.notes.append(text)
            print(text, flush=True)
            self.write()

    def text(self):
        lines = list(self.head)
        for section, (columns, rows) in self.sections.items():
            lines += ["", f"### {section}", "", f"| {' | '.join(columns)} |",
                      "|" + "---|" * len(columns)]
            lines += [f"| {' | '.join(cells)} |" for _, cells in rows]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def write(self):
        for name, text in (("performance.md", self.text()),
                           ("figures.json", json.dumps(self.figures, indent=1))):
            with open(f"{self.folder}/{name}.part", "w") as f:
                f.write(text)
            os.replace(f"{self.folder}/{name}.part", f"{self.folder}/{name}")
