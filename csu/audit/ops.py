"""The operations that the journal knows, with their names in the console. Retired names stay readable here."""

from enum import StrEnum

from legal.acts import Act


class OpClass(StrEnum):
    """The operations that CSI R.253-5 has logged; what only concerns a person's session is none of them."""

    COLLECTION = "collection"
    MODIFICATION = "modification"
    CONSULTATION = "consultation"
    COMMUNICATION = "communication"
    ERASURE = "erasure"


LABELS: dict[str, str] = {
    Act.ACCOUNT_CLOSE: "Fermeture d'un compte",
    Act.ACCOUNT_CREATE: "Création d'un compte",
    Act.ACCOUNT_LIST: "Consultation des comptes",
    Act.ACCOUNT_RESET: "Nouveau mot de passe d'un compte",
    Act.AGREMENT_PUT: "Enregistrement d'un agrément",
    Act.AGREMENT_RESUME: "Levée de suspension d'un agrément",
    Act.AGREMENT_SUSPEND: "Suspension d'un agrément",
    Act.ALARM_ACKNOWLEDGE: "Acquittement d'une alarme",
    Act.ALARM_LIST: "Consultation des alarmes",
    Act.ANOMALY_SEE: "Examen d'une anomalie du journal",
    Act.AUTHORISATION_ACTIVATE: "Mise en service de caméras autorisées",
    Act.AUTHORISATION_AMEND: "Ouverture d'une modification ou d'un renouvellement",
    Act.AUTHORISATION_COMPLETE: "Récépissé d'un dossier complet",
    Act.AUTHORISATION_DEPOSIT: "Dépôt d'un dossier d'autorisation",
    Act.AUTHORISATION_DRAFT: "Préparation d'un dossier d'autorisation",
    Act.AUTHORISATION_DROP: "Abandon d'un dossier d'autorisation",
    Act.AUTHORISATION_END_EVENT: "Fin de l'événement d'une autorisation provisoire",
    Act.AUTHORISATION_EXTEND: "Prolongation du délai de la commission",
    Act.AUTHORISATION_GRANT: "Enregistrement d'un arrêté d'autorisation",
    Act.AUTHORISATION_LIST: "Consultation des autorisations",
    Act.AUTHORISATION_NOTIFY: "Notification de mise en service au préfet",
    Act.AUTHORISATION_OPINION: "Avis de la commission départementale",
    Act.AUTHORISATION_REFUSE: "Refus d'autorisation",
    Act.AUTHORISATION_RESUME: "Levée de suspension d'une autorisation",
    Act.AUTHORISATION_SUSPEND: "Suspension d'une autorisation",
    Act.AUTHORISATION_WITHDRAW: "Retrait d'une autorisation",
    Act.BASIS_CONFIRM: "Enregistrement d'une base légale",
    Act.BASIS_END: "Fin d'une base légale",
    Act.BASIS_LIST: "Consultation du registre des bases légales",
    Act.BASIS_PROPOSE: "Proposition d'une base légale",
    Act.CAMERA_CONNECT: "Changement de l'accès à une caméra",
    Act.CAMERA_ENTER: "Entrée d'une caméra dans le centre",
    Act.CAMERA_LIST: "Consultation des caméras",
    Act.CHECKPOINT_READ: "Lecture de la tête signée du journal",
    Act.COMMUNE_CHANGE: "Changement de ce dont une commune répond",
    Act.COMMUNE_JOIN: "Entrée d'une commune dans le centre",
    Act.CONSTAT_TRAFFIC: "Constat d'une infraction routière",
    Act.CONSTAT_WASTE: "Constat d'un abandon de déchets",
    Act.CONVENTION_ENTER: "Enregistrement d'une convention",
    Act.CONVENTION_RESUME: "Levée de suspension d'une convention",
    Act.CONVENTION_SUSPEND: "Suspension d'une convention",
    Act.COVERAGE_READ: "Consultation des taux d'enregistrement",
    Act.DEPORT_END: "Fin d'un déport",
    Act.DEPORT_ENTER: "Ouverture d'images à des services de l'État",
    Act.DEPORT_LIST: "Consultation des déports",
    Act.DEPORT_RESUME: "Levée de suspension d'un déport",
    Act.DEPORT_SUSPEND: "Suspension d'un déport",
    Act.EVENT_FOLLOW: "Suivi des événements",
    Act.HABILITATION_END: "Fin d'une habilitation",
    Act.HABILITATION_GRANT: "Habilitation d'un agent",
    Act.HABILITATION_PROVE: "Réponse signée sur une habilitation",
    Act.HABILITATION_RESUME: "Levée de suspension d'une habilitation",
    Act.HABILITATION_SUSPEND: "Suspension d'une habilitation",
    Act.HOLD_LIST: "Consultation des conservations",
    Act.HOLD_PUT: "Conservation sur réquisition",
    Act.HOLD_RELEASE: "Levée d'une conservation",
    Act.INTERRUPTION_CONFIRM: "Confirmation d'un masquage",
    Act.INTERRUPTION_END: "Fin d'une interruption annoncée",
    Act.INTERRUPTION_LIST: "Consultation des interruptions annoncées",
    Act.INTERRUPTION_MASK: "Masquage d'une caméra",
    Act.INTERRUPTION_PLAN: "Annonce d'un arrêt prévu",
    Act.JOURNAL_EXPORT: "Extraction du journal (CSV)",
    Act.JOURNAL_PERSONS: "Consultation de la liste des agents journalisés",
    Act.JOURNAL_PROVE: "Preuve d'une entrée du journal",
    Act.JOURNAL_READ: "Consultation du journal",
    Act.MOTIF_LIST: "Consultation des motifs",
    Act.PASSWORD_CHANGE: "Changement de mot de passe",
    Act.PERSON_CONFIRM: "Confirmation annuelle d'un compte",
    Act.PERSON_LEAVE: "Départ d'un agent",
    Act.PERSON_LIST: "Consultation des personnes habilitées",
    Act.PERSON_STAY: "Annulation d'un départ",
    Act.PICTURE_EXPORT: "Remise d'enregistrements",
    Act.PICTURE_EXTRACT: "Extraction d'enregistrements",
    Act.PICTURE_LIVE: "Visualisation en direct",
    Act.PICTURE_REPLAY: "Relecture",
    Act.PROPOSAL_CLOSE: "Refus ou retrait d'une proposition",
    Act.PROPOSAL_LIST: "Consultation des propositions en attente",
    Act.PTZ_OVERRIDE: "Reprise de la commande d'une caméra",
    Act.RECORDER_READ: "Consultation de l'état du stockage",
    Act.RELEASE_CONFIRM: "Levée d'un gel des effacements",
    Act.RELEASE_PROPOSE: "Proposition de lever un gel des effacements",
    Act.RETENTION_CONFIRM: "Changement de la durée de conservation",
    Act.RETENTION_LIST: "Consultation des durées de conservation",
    Act.RETENTION_PROPOSE: "Proposition d'une durée de conservation",
    Act.RULE_SET: "Réglage d'une règle du centre",
    Act.SECURITY_READ: "Consultation du journal de sécurité",
    Act.SESSION_CLOSE: "Fermeture de session",
    Act.SESSION_LOCK: "Verrouillage du poste",
    Act.SESSION_READ: "Lecture de la session",
    Act.SESSION_SHIFT: "Motif de la prise de poste",
    Act.SESSION_UNLOCK: "Déverrouillage du poste",
    Act.SITE_ENTER: "Enregistrement d'un site",
    Act.STATEMENT_LIST: "Consultation de la liste des relevés",
    Act.STATEMENT_READ: "Consultation d'un relevé",
    Act.TERRITORY_READ: "Consultation du territoire",
    Act.TICKET_REQUEST: "Demande d'accès à des images",
    Act.TIMELINE_READ: "Consultation de la chronologie",
    Act.WATCHING_LIST: "Consultation des visualisations en cours",
    "hold:taken": "Conservation prise par l'enregistreur",
    "hold:freed": "Conservation levée à l'enregistreur",
    "security:prune": "Retrait des événements de sécurité de plus d'un an",
    "clock:back": "Horloge du centre reculée : sessions et propositions closes",
    "session:open": "Ouverture de session",
    "session:moved": "Session poursuivie sur un autre poste",
    "session:second": "Seconde session sur un autre poste",
    "picture:opened": "Images ouvertes",
    "picture:served": "Images servies",
    "picture:closed": "Images fermées",
    "picture:cut": "Visualisation interrompue",
    "recording:start": "Début d'enregistrement",
    "recording:stop": "Arrêt d'enregistrement",
    "recording:erase": "Effacement d'enregistrements",
    "recording:head": "Empreinte des chaînes d'enregistrements",
    "recording:day": "Empreinte des enregistrements d'un jour",
    "recorder:index": "Nouvel index d'enregistreur",
    "recorder:released": "Gel des effacements levé à l'enregistreur",
    "recorder:rebuilt": "Index d'enregistreur reconstruit",
    "authorisation:silence": "Rejet d'une demande par le silence du préfet",
    "authorisation:expire": "Terme d'une autorisation",
    "journal:exported": "Lignes du journal communiquées",
    "journal:anchor": "Envoi de l'ancre du journal",
    "journal:prune": "Retrait des entrées de plus de trois ans",
    "orders:issue": "Consignes à l'enregistreur",
    "orders:supersede": "Consignes d'un centre restauré, remises en vigueur",
    "key:rotate": "Nouvelle clé de signature",
    "store:migrate": "Mise à jour des tables de la base",
    "statement:sign": "Signature d'un relevé quotidien",
    "territory:import": "Import de configuration",
}

# Reads that a console repeats every few seconds and that show no picture and no entry: journalled when refused only.
QUIET = frozenset(
    {
        Act.ACCOUNT_LIST,
        Act.ALARM_LIST,
        Act.AUTHORISATION_LIST,
        Act.BASIS_LIST,
        Act.CAMERA_LIST,
        Act.CHECKPOINT_READ,
        Act.COVERAGE_READ,
        Act.DEPORT_LIST,
        Act.EVENT_FOLLOW,
        Act.INTERRUPTION_LIST,
        Act.JOURNAL_PERSONS,
        Act.MOTIF_LIST,
        Act.PERSON_LIST,
        Act.PROPOSAL_LIST,
        Act.RECORDER_READ,
        Act.RETENTION_LIST,
        Act.SESSION_READ,
        Act.STATEMENT_LIST,
        Act.TERRITORY_READ,
        Act.TICKET_REQUEST,
        Act.TIMELINE_READ,
        Act.WATCHING_LIST,
    }
)


def label(op: str) -> str:
    return LABELS.get(op, op)


_ERASURES = frozenset({"recording:erase", "journal:prune", "security:prune", Act.RELEASE_CONFIRM, "recorder:released"})
_COMMUNICATIONS = frozenset(
    {
        *(Act.HABILITATION_PROVE, Act.JOURNAL_EXPORT, Act.JOURNAL_PROVE, Act.PICTURE_EXPORT),
        *("journal:anchor", "journal:exported", "statement:sign"),
    }
)
_SESSION = frozenset({Act.EVENT_FOLLOW, Act.PASSWORD_CHANGE})
_READING = ("list", "read", "persons", "request")


def class_of(op: str) -> OpClass | None:
    """What R.253-5 calls the operation. What neither collects, erases, communicates nor reads alters something."""
    subject, _, verb = op.partition(":")
    if op in _ERASURES:
        return OpClass.ERASURE
    if op in _COMMUNICATIONS:
        return OpClass.COMMUNICATION
    if subject == "session" or op in _SESSION:
        return None
    if subject == "picture" or verb in _READING:
        return OpClass.CONSULTATION
    if subject in ("recording", "recorder", "orders"):
        return OpClass.COLLECTION
    return OpClass.MODIFICATION


def ops_of(wanted: OpClass) -> list[str]:
    return [str(op) for op in LABELS if class_of(op) is wanted]
