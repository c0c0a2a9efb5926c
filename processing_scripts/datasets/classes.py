"""The classes of a data set: choosing some by id or name, renaming and merging them by a file."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing_scripts.contract import JobError
from processing_scripts.datasets.tables import TableError, digest_of, read_csv

MAX_LISTED = 10  # classes in one message, which SageMaker cuts at 1 KB


@dataclass(frozen=True, kw_only=True)
class ClassMap:
    """New names for classes; an empty one drops the class."""

    path: Path
    names: Mapping[str, str]  # old name or id -> new name
    sha256: str


def read_class_map(path: Path) -> ClassMap:
    """Read a CSV file with the columns from and to.

    Raises:
        TableError: it is not one, or names a class twice.
    """
    if not path.is_file():
        raise TableError(path, None, "not there; name a CSV file in the input folder, with columns from,to")
    table = read_csv(path, required=("from", "to"))
    names: dict[str, str] = {}
    for row, old, new in zip(
        table["number"], table["from"].str.strip(), table["to"].str.strip(), strict=True
    ):
        if not old or old in names:
            fault = f"from is '{old}' in an earlier row too" if old else "from is empty; name a class in it"
            raise TableError(path, row, fault)
        if new and not new.isprintable():
            raise TableError(path, row, f"to is {new!r}, which is unprintable")
        names[old] = new
    return ClassMap(path=path, names=names, sha256=digest_of(path))


@dataclass(frozen=True, kw_only=True)
class ClassNames:
    """The names of classes by their ids."""

    by_id: Mapping[int, str]  # ascending
    source: str  # what a message calls the place where they stand
    has_ids: bool  # whether the author numbered them, or we did

    @classmethod
    def numbered(cls, names: Collection[str], source: str) -> "ClassNames":
        """The ids 0, 1, 2 ... for the different names, sorted."""
        return cls(by_id=dict(enumerate(sorted(set(names)))), source=source, has_ids=False)

    def ids(self) -> dict[str, int]:
        """Name -> id."""
        return {name: class_id for class_id, name in self.by_id.items()}

    def seed(self, class_id: int) -> list[int]:
        """Numbers that belong to this class whatever other classes there are."""
        return [class_id] if self.has_ids else list(self.by_id[class_id].encode())

    def choose(self, wish: str, *, present: Collection[int]) -> list[int]:
        """The class ids that a wish such as "17,36", "017.Cardinal, Blue_Jay" or "all" means, ascending.

        Args:
            wish: "all" means the classes that are present.
            present: ids of which there is an object.

        Raises:
            JobError: a part of it means no class, or one class is meant twice.
        """
        if wish.strip().lower() == "all":
            return [class_id for class_id in self.by_id if class_id in set(present)]
        parts = [part.strip() for part in wish.split(",") if part.strip()]
        chosen = [self.find(part, "--classes") for part in parts]
        if not chosen:
            raise JobError(
                '--classes is empty; give ids such as "17,36", names such as "017.Cardinal", or "all"'
            )
        for number, class_id in enumerate(chosen):
            if class_id in chosen[:number]:
                raise JobError(f"--classes names {self.by_id[class_id]} twice")
        return sorted(chosen)

    def find(self, part: str, where: str) -> int:
        """The id of the class that goes by this id or name.

        Raises:
            JobError: there is none; the message begins with `where` and names the nearest.
        """
        exact = self.ids()
        if part in exact:
            return exact[part]
        if self.has_ids and part.isdecimal():
            if int(part) in self.by_id:
                return int(part)
            raise JobError(
                f"{where}: no class has the id {part}; {self.source} has {_listed(list(self.by_id))}"
            )
        known = {name.lower(): class_id for name, class_id in exact.items()}
        if self.has_ids:
            # CUB writes 017.Cardinal.
            tails = {name.lower().partition(".")[2]: class_id for name, class_id in exact.items()}
            known |= {tail: class_id for tail, class_id in tails.items() if tail}
        if part.lower() in known:
            return known[part.lower()]
        near = difflib.get_close_matches(part.lower(), known, n=1)
        if near:
            hint = f"did you mean '{self.by_id[known[near[0]]]}'?"
        else:
            hint = f"{self.source} has {_listed(list(self.by_id.values()))}"
        raise JobError(f"{where}: no class is named '{part}'; {hint}")

    def merged(self, class_map: ClassMap) -> tuple["ClassNames", dict[int, int]]:
        """The classes under their new names, and old id -> new id of those that are kept.

        Of several classes that become one, the lowest id stays.

        Raises:
            JobError: the map names a class that is not there, or one class twice.
        """
        new_names = dict(self.by_id)
        renamed: dict[int, str] = {}
        for old, new in class_map.names.items():
            class_id = self.find(old, str(class_map.path))
            if class_id in renamed:
                raise JobError(f"{class_map.path}: '{old}' and '{renamed[class_id]}' are the same class")
            renamed[class_id], new_names[class_id] = old, new
        kept = {class_id: name for class_id, name in new_names.items() if name}
        if not kept:
            raise JobError(f"{class_map.path}: drops every class; give at least one a name in the column to")
        if not self.has_ids:
            classes = ClassNames.numbered(kept.values(), self.source)
            return classes, {class_id: classes.ids()[name] for class_id, name in kept.items()}
        lowest: dict[str, int] = {}
        new_ids = {class_id: lowest.setdefault(name, class_id) for class_id, name in kept.items()}
        by_id = {class_id: name for name, class_id in lowest.items()}
        return ClassNames(by_id=by_id, source=self.source, has_ids=True), new_ids


def _listed(classes: Sequence[object]) -> str:
    texts = [str(single) for single in classes]
    return ", ".join(texts[:MAX_LISTED]) + (f" … {texts[-1]}" if len(texts) > MAX_LISTED else "")


def check_names(names: Collection[str], where: str) -> None:
    """Check that every class has a name that a report and a list of classes can hold.

    Raises:
        JobError: one has not; the message begins with `where`.
    """
    for name in names:
        if not name.strip() or not name.isprintable():
            raise JobError(f"{where}: a class is named {name!r}; give it a printable name")
