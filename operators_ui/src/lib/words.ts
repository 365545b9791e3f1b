/** Names that several views use, by the centre's codes. French; one word per thing, as in the centre's glossary. */

export const ROLES: Readonly<Record<string, string>> = {
  operator: "Opérateur",
  supervisor: "Superviseur",
  delegate: "Délégué de la commune",
  auditor: "Auditeur",
  administrator: "Administrateur",
};

export const CAUSES: Readonly<Record<string, string>> = {
  camera: "Panne de caméra",
  network: "Panne de réseau",
  storage: "Manque de stockage",
  ours: "Arrêt de l'enregistreur",
  authorisation: "Hors autorisation",
  planned: "Arrêt prévu",
  masked: "Masquage",
  expired: "Détruit à l'échéance",
  not_ordered: "Hors consigne",
};

export const CAMERA_STATES: Readonly<Record<string, string>> = {
  connecting: "Connexion",
  recording: "Enregistre",
  live: "En direct",
  lost: "Perdue",
  forbidden: "Interdite",
  masked: "Masquée",
  degraded: "Suspendue",
  stopped: "Arrêtée",
  unknown: "État inconnu",
};

export const RESULTS: Readonly<Record<string, string>> = { done: "Fait", refused: "Refusé", noted: "Constaté" };

export const CATEGORIES: Readonly<Record<string, string>> = {
  PM: "Police municipale",
  GC: "Garde champêtre",
  ASVP: "Agent de surveillance de la voie publique",
  CIVIL_AGREE: "Agent civil agréé",
  ELU: "Élu",
  PN: "Police nationale",
  GN: "Gendarmerie nationale",
  DOUANE: "Douanes",
  SDIS: "Sapeurs-pompiers",
  PRIVE_CNAPS: "Agent privé",
  MAINT: "Maintenance",
  SANS_IMAGES: "Sans accès aux images",
};

export const BASES: Readonly<Record<string, string>> = { designation: "Désignation", delegation: "Délégation" };

export const RIGHTS: Readonly<Record<string, string>> = { live: "direct", replay: "relecture", extract: "extraction" };

export const named = (names: Readonly<Record<string, string>>) => (name: string): string => names[name] ?? name;

/** Whom a person turns to when the centre refuses, by code. */
export const ADVICE: Readonly<Record<string, string>> = {
  NOT_HABILITE: "La commune habilite ses agents : voyez votre superviseur.",
  OUT_OF_COMMUNE: "Aucune habilitation pour cette commune ne vous est enregistrée : voyez votre superviseur.",
  AGREMENT_MISSING: "L'agrément est donné par le préfet : voyez votre superviseur.",
  CONVENTION_MISSING: "La commune doit conclure ou rétablir la convention : voyez votre superviseur.",
  AUTH_MISSING: "L'autorisation est donnée par le préfet : voyez votre superviseur.",
  AUTH_EXPIRED: "L'autorisation est à renouveler auprès du préfet : voyez votre superviseur.",
  AUTH_SUSPENDED: "Voyez votre superviseur.",
  MASK_LOCKED: "Deux superviseurs peuvent lever le masquage avant son terme.",
  FINALITE_NOT_AUTHORISED: "Choisissez un autre motif, si c'en est bien un autre.",
  SECOND_PERSON_REQUIRED: "Demandez à un autre superviseur ou administrateur d'ouvrir « En attente d'une seconde personne ».",
};

export const files = (count: number): string => (count < 2 ? `${count} fichier` : `${count} fichiers`);
