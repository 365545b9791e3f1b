"""A statement as text that a person reads, in French."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from csu.statements import document
from legal.retention import PARIS
from recorder.coverage import RECORDED, percentages

CAUSES = {
    RECORDED: "enregistré",
    "camera": "caméra",
    "network": "réseau",
    "storage": "stockage",
    "ours": "centre",
    "authorisation": "hors autorisation",
    "planned": "arrêt prévu",
    "masked": "masquage",
}
_DESTROYED = {
    "deadline": "à l'échéance",
    "released": "après la fin d'une conservation",
    "space": "faute de place, après le délai minimal",
}
_MISSING = {
    "coverage": "l'enregistrement de la journée",
    "inventory": "l'inventaire de la nuit",
    "storage": "une partie du stockage",
}


def text_of(file: Mapping[str, Any]) -> str:
    """A statement's file in the words of the console; the file, not this, is what proves."""
    statement, withheld = file["statement"], file.get("withheld", {"cameras": []})["cameras"]
    commune, totals = statement["commune"], statement["totals"]
    hours = (_at(statement["to"]) - _at(statement["from"])).total_seconds() / 3600
    lines = [
        f"RELEVÉ D'EFFACEMENT ET D'ENREGISTREMENT N° {statement['number']}",
        f"Commune : {commune['name']} ({commune['insee']})",
        f"Journée : {date.fromisoformat(statement['day']):%d/%m/%Y}, de {hours:.0f} heures",
    ]
    if statement["corrects"] is not None:
        lines.append(f"Ce relevé rectifie le relevé n° {statement['corrects']}, des données étant arrivées après lui.")
    lines += ["", _summary(totals)]
    if not statement["cameras"]:
        lines.append("Aucune caméra à relever.")
    for camera in statement["cameras"]:
        lines += ["", f"{camera['number']} {camera['name']}", *_camera(camera, statement["missing"])]
        lines += [line for one in withheld if one["camera"] == camera["camera"] for line in _withheld(one)]
    lines += [
        "",
        f"Signé le {_instant(statement['signed_at'])} avec la clé {file['kid']}.",
        f"Empreinte de ce relevé : {document.digest(statement).hex()}",
        f"Empreinte du précédent : {statement['previous']}",
        "Sources : CSI, art. L.252-5 et R.253-4.",
    ]
    return "\n".join(lines) + "\n"


def _summary(totals: Mapping[str, Any]) -> str:
    destroyed = totals["destroyed"]
    return (
        f"Effacé : {files(destroyed['count'])}, {size(destroyed['bytes'])}. Il reste {files(totals['files'])}, "
        f"{size(totals['bytes'])}, dont {totals['overdue']} en retard."
    )


def _camera(camera: Mapping[str, Any], missing: list[Mapping[str, Any]]) -> list[str]:
    lines = [_destroyed(one) for one in camera["destroyed"]] or ["  Effacé : rien ce jour-là"]
    inventory, coverage = camera["inventory"], camera["coverage"]
    if inventory is not None:
        oldest = "aucune image" if inventory["oldest"] is None else f"plus ancienne du {_instant(inventory['oldest'])}"
        lines.append(
            f"  Reste au {_instant(inventory['at'])} : {oldest} ; {files(inventory['files'])}, "
            f"{size(inventory['bytes'])} ; en retard {inventory['overdue']}"
        )
    if coverage is not None:
        lines.append(f"  Enregistrement : {_shares(coverage)}")
    lines += [
        f"  MANQUE : {_MISSING[one['what']]}, que l'enregistreur n'a pas pu dire"
        for one in missing
        if one["camera"] == camera["camera"]
    ]
    return lines


def _withheld(one: Mapping[str, Any]) -> list[str]:
    """Under the secret of the inquiry."""
    told = f"Conservé au-delà de l'échéance : {files(one['held'])}, {size(one['held_bytes'])}"
    return [f"  RÉSERVÉ : {line.strip()}" for line in (told, *(_destroyed(row) for row in one["destroyed"]))]


def _destroyed(one: Mapping[str, Any]) -> str:
    absent = f", dont {one['missing']} déjà absents du disque" if one["missing"] else ""
    absent += f", et {files(one['derived'])} d'images tirées d'eux" if one["derived"] else ""
    roots = "".join(f"\n    {_instant(root['hour'])} : {files(root['count'])}, {root['root']}" for root in one["roots"])
    return (
        f"  Effacé {_DESTROYED.get(one['cause'], one['cause'])} : {files(one['count'])}{absent}, {size(one['bytes'])}, "
        f"images du {_instant(one['first'])} au {_instant(one['last'])} ; empreintes par heure :{roots}"
    )


def _shares(coverage: Mapping[str, Any]) -> str:
    sums = coverage["sums_us"]
    shares = percentages(sums)
    told = ", ".join(
        f"{CAUSES.get(cause, cause)} {duration(us)} ({decimal(shares[cause])} %)"
        for cause, us in sorted(sums.items(), key=lambda item: (item[0] != RECORDED, item[0]))
        if us or cause == RECORDED
    )
    return f"{duration(coverage['expected_us'])} attendues ; {told}"


def decimal(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


def files(count: int) -> str:
    return f"{count} fichier" if count in (0, 1) else f"{count} fichiers"


def size(octets: int) -> str:
    """Powers of ten, as disks are sold."""
    value, unit = float(octets), "o"
    for unit in ("o", "ko", "Mo", "Go", "To"):
        if value < 1000 or unit == "To":
            break
        value /= 1000
    return f"{octets} o" if unit == "o" else f"{value:.1f} {unit}".replace(".", ",")


def duration(us: int) -> str:
    """Hours, minutes and seconds, rounded to the second."""
    seconds = round(us / 1_000_000)
    return f"{seconds // 3600} h {seconds // 60 % 60:02d} min {seconds % 60:02d} s"


def _instant(text: str) -> str:
    at = _at(text).astimezone(PARIS)
    return f"{at:%d/%m/%Y à %H:%M:%S} ({at:%Z})"


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
