/** What a person reads: alarms, banner and help. */

export const alarms = {
  none: "Aucune alarme",
  count: (n: number) => (n === 1 ? "1 alarme" : `${n} alarmes`),
  ahead: (n: number) => (n === 1 ? "1 échéance" : `${n} échéances`),
  unknown: "Alarmes : sans nouvelles du centre",
  title: "Alarmes du centre",
  since: "depuis le",
  ended: "terminée le",
  empty: "Aucune alarme en cours.",
  stale: "Le centre ne répond pas : seules les alarmes déjà connues sont montrées, et il peut y en avoir d'autres.",
  acknowledge: "Acquitter",
  acknowledgeTitle: "Acquitter l'alarme",
} as const;

export const banner = {
  since: "Depuis le",
  open: "Voir",
  toConfirm: (n: number) => (n === 1 ? "Une décision attend une seconde personne." : `${n} décisions attendent une seconde personne.`),
  toConfirmOf: (who: string, until: string) => `Proposée par ${who}, à confirmer avant ${until}.`,
  toConfirmWhat: (what: string, camera: string | null) => (camera === null ? `${what}.` : `${what}, caméra ${camera}.`),
  sessionEnd: (at: string) => `Votre session prend fin à ${at}, douze heures après la prise de poste : les images se fermeront. Quittez le poste et reprenez-le avant, à un moment calme.`,
  CLOCK_UNTRUSTED: {
    effect: "Vous ne pouvez ouvrir aucune relecture ; le direct et l'enregistrement continuent.",
    whoMay: "Prend fin quand l'heure est de nouveau sûre, ou quand vous et une autre personne l'attestez.",
    whoMayNot: "Prend fin quand l'heure est de nouveau sûre ; sinon, un superviseur et une seconde personne peuvent le lever.",
  },
  DESTRUCTION_BREAKER: {
    effect: "Le direct, la relecture et l'enregistrement continuent.",
    whoMay: "Vous et une autre personne pouvez le lever après vérification.",
    whoMayNot: "Un superviseur et une seconde personne peuvent le lever après vérification.",
  },
  DEGRADED: {
    effect: "Des flux réduits, et au pire des caméras de plus basse priorité, sont abandonnés.",
    whoMay: "Prend fin de soi-même quand la machine suit de nouveau ; prévenez l'exploitant si cela dure.",
    whoMayNot: "Prend fin de soi-même quand la machine suit de nouveau ; prévenez votre superviseur si cela dure.",
  },
} as const;

export const help = {
  title: "Clavier",
  close: "Fermer",
  keys: [
    ["1 · 4 · 9 · 6", "1, 4, 9 ou 16 images"],
    ["Flèches", "Case voisine"],
    ["Page ↑ ↓", "Page du mur"],
    ["Entrée", "Ouvrir la caméra de la case"],
    ["C", "Liste des caméras"],
    ["Suppr", "Libérer la case"],
    ["R", "Redemander un accès refusé, et tous ceux qui sont rétablis"],
    ["M", "Revenir d'une minute (caméra ouverte)"],
    ["Espace", "Relecture : lecture, pause"],
    [", ·  ;", "Relecture : image précédente, suivante (comptées au journal)"],
    ["← →", "Relecture : 5 secondes en arrière, en avant"],
    ["D", "Revenir au direct"],
    ["Échap", "Fermer, revenir au mur"],
    ["/", "Recherche dans le journal"],
    ["A", "Alarmes"],
    ["L", "Verrouiller le poste"],
    ["?", "Cette aide"],
  ],
} as const;
