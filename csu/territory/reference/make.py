"""Make `communes.tsv` of the unpacked package @etalab/decoupage-administratif (see README.md beside this file):

npm pack @etalab/decoupage-administratif@6.0.0 && tar xzf etalab-decoupage-administratif-6.0.0.tgz
python -m csu.territory.reference.make package 27 76
"""

import argparse
import json
from pathlib import Path

from csu.territory.reference import COLUMNS, FILE

VERSION = "6.0.0"


def rows(package: Path, departements: frozenset[str]) -> list[tuple[str, ...]]:
    """The communes of today (no associated or former one) of these départements, by code. Raises OSError, ValueError,
    KeyError for what is not that package."""
    found = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    if found != VERSION:
        raise ValueError(f"version {found}; expected {VERSION}, or another one written here and in README.md")
    epci = {
        member["code"]: (group["code"], group["nom"])
        for group in json.loads((package / "data" / "epci.json").read_text(encoding="utf-8"))
        for member in group["membres"]
    }
    return sorted(
        (one["code"], one["nom"], one["departement"], str(one["population"]), *epci.get(one["code"], ("", "")))
        for one in json.loads((package / "data" / "communes.json").read_text(encoding="utf-8"))
        if one["type"] == "commune-actuelle" and one["departement"] in departements
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("departement", nargs="+")
    args = parser.parse_args()
    lines = ["\t".join(row) for row in (COLUMNS, *rows(args.package, frozenset(args.departement)))]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
