"""Results of cells as CSV files, one for each part, that can be read back."""

import csv
import io
import os
import pathlib

#: Column that says which cell a row belongs to.
CELL = "cell"
TIMES = "times"  # the file of what each cell cost


class Store:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._rows = {}  # part -> {cell: [row]}
        for path in sorted(self.folder.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                cells = self._rows.setdefault(path.stem, {})
                for row in csv.DictReader(file):
                    cells.setdefault(row.pop(CELL), []).append(row)

    def has(self, cell):
        return cell.name in self._rows.get(cell.part, {})

    def rows(self, part, cells=None):
        """Rows of a part, of all its cells or of some."""
        wanted = None if cells is None else {cell.name for cell in cells}
        return [row for name, rows in self._rows.get(part, {}).items()
                if wanted is None or name in wanted for row in rows]

    def add(self, cell, text, **cost):
        """Keep what accuracy_study printed for a cell, and what the cell cost."""
        rows = list(csv.DictReader(io.StringIO(text)))
        if not rows:
            raise ValueError(f"no rows for '{cell.name}'")
        self._rows.setdefault(cell.part, {})[cell.name] = rows
        self._rows.setdefault(TIMES, {})[cell.name] = [
            {"part": cell.part, **{key: f"{value:.1f}" for key, value in cost.items()}}]
        self._save(cell.part)
        self._save(TIMES)

    def keep_only(self, cells):
        """Forget everything else."""
        names = {cell.name: place for place, cell in enumerate(cells)}
        for part, rows in self._rows.items():
            kept = {name: each for name, each in rows.items() if name in names}
            self._rows[part] = dict(sorted(kept.items(), key=lambda item: names[item[0]]))

    def save_to(self, folder):
        self.folder = pathlib.Path(folder)
        for part in self._rows:
            self._save(part)

    def _save(self, part):
        """Written aside and renamed, so that an interruption loses nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cells = self._rows[part]
        columns = [CELL, *next(iter(cells.values()))[0]] if cells else [CELL]
        path = self.folder / f"{part}.csv"
        scratch = path.with_suffix(".part")
        with scratch.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for name, rows in cells.items():
                writer.writerows({CELL: name, **row} for row in rows)
        os.replace(scratch, path)
