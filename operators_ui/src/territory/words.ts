/** What a person reads where a commune, its conventions, sites and cameras are entered. */

export const lines = {
  change: "Modifier", changeTitle: (camera: string) => `Conditions de la caméra ${camera}`, add: "Ajouter une caméra au dossier",
  remove: "Retirer", removeTitle: (camera: string) => `Retirer du dossier : ${camera}`, removeHelp: "La caméra reste connue du centre ; ce brouillon n'en parle plus.",
  plan: "Plan (arrêté du 3 août 2007)", plans: { "": "non précisé", ETROIT: "étroit", LARGE: "large" }, fastFlow: "flux rapide (12 images par seconde au moins)",
  width: "Largeur de l'image (points)", height: "Hauteur de l'image (points)", perS: "Images par seconde", exemption: "Pièce dispensant du format 704 x 576 (plan étroit)",
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
  number: "Numéro (lettres, chiffres, tirets)", cameraName: "Nom", priority: "Priorité (0 à 1000 ; les plus basses sont abandonnées d'abord si la machine ne suit plus)",
  source: "Changer l'accès", sourceTitle: (camera: string) => `Accès à la caméra ${camera}`, sourceHelp: "L'accès se saisit en entier, mot de passe compris : celui qui était enregistré n'est jamais envoyé à une autre adresse.",
  main: "Flux principal (rtsp:// ou rtsps://, sans utilisateur ni mot de passe)", sub: "Flux réduit, s'il y en a un", username: "Utilisateur de la caméra", password: "Mot de passe de la caméra",
  certificate: "Empreinte SHA-256 du certificat (rtsps, si la caméra signe le sien ; mesurée par csu camera probe)", adapter: "Lecteur",
  adapters: { native: "native : RTSP du centre", pyav: "pyav : FFmpeg, pour une caméra que le premier ne lit pas" },
} as const;
