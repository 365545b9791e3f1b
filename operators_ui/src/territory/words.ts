/** What a person reads of the territory: dossiers and their steps, and where a commune, its conventions, sites and cameras are entered. */

import { named } from "../lib/words";

/** Purposes that stand outside the numbered list of CSI L.251-2. */
const PURPOSES: Readonly<Record<string, string>> = { ERP: "Lieu ouvert au public", COMMERCE: "Abords d'un commerce", HORS_CSI: "Lieu fermé au public" };

export const dossiers = {
  sections: "Parties du territoire",
  section: { communes: "Communes et conventions", dossiers: "Autorisations et échéances", deports: "Déports" },
  title: "Autorisations préfectorales et leurs échéances",
  caption: "Dossiers d'autorisation, les échéances les plus proches d'abord, ceux qui ont pris fin en dernier",
  dossier: "Dossier", kind: "Demande", next: "Prochaine échéance", blocked: "Empêche la mise en service",
  kinds: named({ INITIALE: "Initiale", MODIFICATION: "Modification", RENOUVELLEMENT: "Renouvellement", PROVISOIRE: "Provisoire", REGISTRE: "Registre" }),
  states: named({
    BROUILLON: "Brouillon", DEPOSEE: "Déposée", RECEPISSE: "Récépissé", AVIS_CDV: "Avis de la commission", AUTORISEE: "Autorisée",
    REFUSEE: "Refusée", REFUS_IMPLICITE: "Refus implicite", MISE_EN_SERVICE_NOTIFIEE: "Mise en service notifiée", ACTIVE: "En vigueur",
    PROVISOIRE: "Provisoire", SUSPENDUE: "Suspendue", EXPIREE: "Expirée", RETIREE: "Retirée", FIN_EVENEMENT: "Fin de l'événement",
    REMPLACEE: "Remplacée", CLASSEE: "Classée",
  }),
  deadline: named({
    CDV_OPINION: "Avis de la commission attendu, dernier jour", REFUS_IMPLICITE: "Silence du préfet : refus", AUTH_EXPIRING: "Renouvellement à préparer",
    AUTH_EXPIRED: "Dernier jour de l'autorisation",
  }),
  eventName: named({
    "carry-over": "Reprise d'un arrêté existant", deposit: "Dépôt en préfecture", complete: "Récépissé de dossier complet",
    extend: "Délai prolongé d'un mois", opinion: "Avis de la commission", grant: "Arrêté d'autorisation", refuse: "Refus",
    notify: "Mise en service notifiée", activate: "Mise en service", suspend: "Suspension", resume: "Levée de suspension",
    withdraw: "Retrait", "end-event": "Fin de l'événement", replace: "Remplacement", drop: "Classement",
    silence: "Silence de quatre mois : refus", expire: "Expiration",
  }),
  steps: "Étapes possibles", noStep: "Ce dossier a pris fin : plus aucune étape n'est possible.",
  stepName: named({
    deposit: "Dépôt en préfecture", complete: "Récépissé de dossier complet", extend: "Prolonger le délai de la commission",
    opinion: "Avis de la commission", grant: "Saisir l'arrêté", refuse: "Refus du préfet", notify: "Notifier la mise en service",
    activate: "Mettre en service", suspend: "Suspendre", resume: "Lever la suspension", withdraw: "Retrait", "end-event": "Fin de l'événement",
    drop: "Classer le dossier", modification: "Modifier ou renouveler",
  }),
  stepHelp: named({
    deposit: "Le dossier est déposé à la préfecture ; les délais ne courent qu'à partir du récépissé.",
    complete: "De ce jour courent les délais : trois mois pour l'avis de la commission, quatre mois de silence valent refus (CSI R.252-15).",
    extend: "La commission départementale prend un mois de plus, une seule fois (CSI R.252-15).",
    opinion: "La commission départementale a rendu son avis.",
    grant: "L'arrêté tel qu'il est pris : cinq ans au plus, quatre mois pour une autorisation provisoire (CSI L.252-4, L.252-6).",
    refuse: "Le dossier prend fin ; une nouvelle demande est un nouveau dossier.",
    notify: "Le préfet est informé, avant cette date, de la mise en service des caméras (CSI R.252-17).",
    activate: "Les caméras dont la date notifiée est venue sont enregistrées et montrées ; l'arrêté remplacé prend fin.",
    suspend: "Effet immédiat : les caméras ne sont plus ni enregistrées ni montrées (CSI R.254-2).",
    resume: "Les caméras sont de nouveau enregistrées et montrées.",
    withdraw: "Effet immédiat et définitif : les caméras ne sont plus ni enregistrées ni montrées (CSI R.254-2).",
    "end-event": "L'événement a pris fin, et avec lui son autorisation provisoire (CSI L.252-6). Définitif.",
    drop: "La commune renonce à cette demande. Définitif.",
    modification: "Ouvre un dossier qui remplacera cet arrêté ; celui-ci vaut jusqu'à la mise en service du nouveau. Les caméras qui ne sont pas cochées gardent leurs conditions.",
  }),
  arrete: "Référence de l'arrêté", liftedBy: "Référence de ce nouvel arrêté, s'il lève lui-même la suspension", serviceOn: "Mise en service le", notified: "Caméras notifiées", changed: "Caméras dont les conditions changent",
  newDossier: "Nom du nouveau dossier", create: "Nouveau dossier", createHelp: "Un brouillon : rien n'en découle avant l'arrêté et la mise en service. Les conditions valent pour toutes les caméras cochées.",
  noCamera: "Cette commune n'a pas de caméra de cette sorte.", retention: "Conservation (jours, un mois au plus)", minimum: "Durée minimale (jours, si l'arrêté en fixe une)",
  recipients: "Destinataires (un par ligne)",
  purposeShort: (code: string) => (Number.isNaN(Number(code)) ? (PURPOSES[code] ?? code) : `${code}°`),
  purpose: named({
    ...PURPOSES,
    1: "1° Bâtiments publics et leurs abords", 2: "2° Installations utiles à la défense nationale", 3: "3° Flux de transport", 4: "4° Infractions routières",
    5: "5° Atteintes aux personnes et aux biens", 6: "6° Actes de terrorisme", 7: "7° Risques naturels ou technologiques", 8: "8° Secours et incendie",
    9: "9° Parcs d'attraction", 10: "10° Assurance des véhicules", 11: "11° Abandon de déchets",
  }),
  events: "Événements du dossier", event: "Événement", on: "En date du", enteredAt: "Saisi le", reference: "Référence", author: "Par", by: (event: string) => (event === "silence" || event === "expire" ? "l'échéance" : "l'administration locale"),
  deadlines: "Échéances à venir", lines: "Caméras du dossier", purposes: "Finalités (L. 251-2)", use: "Usage",
  visualised: "visionnée", recorded: "enregistrée", inService: "En service", notYet: "pas encore",
} as const;

export const deports = {
  title: "Déports : images ouvertes aux services de l'État",
  caption: "Déports, les plus récents d'abord",
  help: "Un arrêté préfectoral ouvre des caméras à des agents nommés de la police, de la gendarmerie, des douanes ou des secours (CSI L.252-3). Sans lui, ils ne voient rien.",
  enter: "Enregistrer un déport", enterHelp: "Tel que l'arrêté le dit : qui, quelles caméras, de quelle façon, et combien de temps le destinataire garde ce qu'il reçoit (un mois au plus). Chaque agent a aussi son habilitation, signée par son chef de service.",
  arrete: "Arrêté", persons: "Agents nommés", noAgent: "Aucun agent d'un service de l'État n'a de compte ouvert.",
  keeps: "Gardé par le destinataire", keepsDays: "Gardé par le destinataire (jours, un mois au plus)",
  all: "Toutes celles de la commune", allHelp: "sans rien cocher : toutes celles de la commune",
  changeHelp: {
    suspend: "Effet immédiat : les images ouvertes à ces agents se ferment.", resume: "Les agents nommés voient de nouveau ces images.",
    end: "Effet immédiat et définitif : un nouveau déport se saisit avec son arrêté.",
  },
} as const;

export const lines = {
  change: "Modifier", changeTitle: (camera: string) => `Conditions de la caméra ${camera}`, add: "Ajouter une caméra au dossier",
  remove: "Retirer", removeTitle: (camera: string) => `Retirer du dossier : ${camera}`, removeHelp: "La caméra reste connue du centre ; ce brouillon n'en parle plus.",
  plan: "Plan (arrêté du 3 août 2007)", plans: { "": "non précisé", ETROIT: "étroit", LARGE: "large" }, fastFlow: "flux rapide (12 images par seconde au moins)",
  width: "Largeur de l'image (points)", height: "Hauteur de l'image (points)", perS: "Images par seconde", perSHint: "Un nombre est attendu, par exemple 12,5.", exemption: "Pièce dispensant du format 704 x 576 (plan étroit)",
  latitude: "Latitude de la caméra (degrés)", longitude: "Longitude de la caméra (degrés)", kept: "Le champ de vision, les masques et les limites de mouvement déjà enregistrés restent tels quels.",
} as const;

export const joining = {
  join: "Faire entrer une commune", joinHelp: "La commune entre dans le centre sans qu'aucune image n'en soit vue : il y faut encore ses conventions, un arrêté et des agents habilités.",
  find: "Commune (nom ou code INSEE, liste officielle)", findHint: "Choisissez la commune dans la liste proposée : son code INSEE de cinq caractères.",
  change: "Modifier", changeTitle: (commune: string) => `Ce dont répond la commune : ${commune}`, changeHelp: "Ce qui est laissé vide devient inconnu du centre.",
  authority: "Autorité sous laquelle les images sont vues (le maire)", controller: "Responsable de traitement", dpo: "Délégué à la protection (DPO) : contact",
  deliberation: "Délibération de la commune (référence)", deliberationOn: "Délibérée le", cnil: "Engagement de conformité à la CNIL (récépissé)", cnilOn: "Envoyé le",
  missing: "pas encore enregistré", of: (reference: string, day: string) => `${reference}, le ${day}`, facts: (commune: string) => `Ce dont répond la commune, ${commune}`, what: "Objet", told: "Enregistré",
  convention: "Enregistrer une convention", conventionHelp: "Telle qu'elle est signée (CSI L. 132-14, L. 512-4). Une mise en service demande la convention avec le membre (IV) et celle avec l'État (V).",
  conventionKind: "Convention", conventionReference: "Référence de la convention", partner: "Conclue avec", conventionTo: "Jusqu'au (inclus, si un terme est fixé)",
  site: "Enregistrer un lieu", siteHelp: "Un lieu où sont, ou seront, des caméras de la commune.", siteName: "Nom du lieu", address: "Adresse postale",
  latitude: "Latitude (degrés, WGS 84)", longitude: "Longitude (degrés, WGS 84)", sites: (commune: string) => `Lieux, ${commune}`, changeSite: (name: string) => `Lieu : ${name}`,
  cameras: (commune: string) => `Caméras, ${commune}`, regime: "Régime", more: "Ce dont répond la commune, ses lieux et ses caméras",
  camera: "Enregistrer une caméra", cameraHelp: "Rien n'en est enregistré ni montré avant qu'un arrêté la mette en service.",
  number: "Numéro (lettres, chiffres, tirets)", cameraName: "Nom", priority: "Priorité (0 à 1000 ; 0 est la plus haute : abandonnée en dernier si la machine ou la place ne suffisent plus)",
  source: "Changer l'accès", sourceTitle: (camera: string) => `Accès à la caméra ${camera}`, sourceHelp: "L'accès se saisit en entier, mot de passe compris : celui qui était enregistré n'est jamais envoyé à une autre adresse.",
  main: "Flux principal (rtsp:// ou rtsps://, sans utilisateur ni mot de passe)", sub: "Flux réduit, s'il y en a un", username: "Utilisateur de la caméra", usernameHint: "Un nom sans deux-points est attendu.", password: "Mot de passe de la caméra",
  certificate: "Empreinte SHA-256 du certificat (rtsps, si la caméra signe le sien ; mesurée par csu camera probe)", adapter: "Lecteur",
  adapters: { native: "native : RTSP du centre", pyav: "pyav : FFmpeg, pour une caméra que le premier ne lit pas" },
} as const;
