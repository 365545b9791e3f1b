"""Why destruction waits or means are short, in French. The recorder's own words stay in its logs."""

import re

_JUMP = re.compile(r"jumped forward by (\d+) s")
_CLOCK = {
    "never set": "L'horloge de la machine n'a jamais été réglée.",
    "lost with the index": "Ce que l'enregistreur savait de l'heure est perdu avec son index.",
    "unsynchronised after a reboot": "La machine a redémarré et aucune source de temps n'a réglé son horloge depuis.",
}
_BREAKER = {
    "retention": "Une conservation raccourcie ferait effacer d'un coup plus de la moitié de ce qu'elle concerne.",
    "clock": "L'horloge de la machine a pris plus d'un jour d'avance : ce qui serait dû de ce fait attend.",
}


def freeze_reason(subject: str, reason: str) -> str:
    """A sentence in French for the reason of a freeze; a new reason gets a general one."""
    if subject == "breaker":
        return _BREAKER.get(reason, "Il y aurait bien plus à effacer d'un coup que prévu.")
    jump = _JUMP.match(reason)
    if jump is not None:
        return f"L'horloge de la machine a avancé de {_duration(int(jump[1]))} d'un coup."
    return _CLOCK.get(reason, "L'horloge de la machine n'est pas sûre.")


_DEGRADED = {
    "load": "La machine n'a pas assez de puissance pour tout faire à temps.",
    "queue": "Les images arrivent plus vite que le disque ne les écrit.",
    "sync": "Le disque met trop de temps à confirmer ce qu'il écrit.",
}
_GIVEN_UP = {
    "1": "L'analyse des images est suspendue, et les flux réduits que personne ne regarde sont arrêtés.",
    "2": "L'analyse des images et tous les flux réduits sont suspendus : une caméra agrandie se voit encore.",
    "3": "Les caméras les moins prioritaires ne sont plus enregistrées.",
}


def degraded_reason(reason: str) -> str:
    """A sentence in French for why the recorder gives something up; a new reason gets a general one."""
    return _DEGRADED.get(reason, "La machine n'a pas les moyens de tout faire.")


def degraded_alarm(detail: str) -> str:
    """What is given up and why, from an alarm's level and measure."""
    level, _, reason = detail.partition(" ")
    return f"{_GIVEN_UP.get(level, '')} {degraded_reason(reason)}".strip()


def clock_alarm(detail: str) -> str:
    """By how much a camera's clock is off, from the seconds that it is ahead of the recorder's."""
    try:
        seconds = round(float(detail))
    except ValueError:
        return ""
    return f"Elle {'avance' if seconds > 0 else 'retarde'} de {_duration(abs(seconds))}."


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    days = hours // 24
    if days < 2:
        return f"{hours} h"
    return f"{days} jours" if days < 730 else f"{days // 365} ans"
