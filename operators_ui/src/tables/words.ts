/** What a person reads: the tables, and who is watching. */

import { named } from "../lib/words";

export const watching = {
  title: "Qui regarde en ce moment",
  empty: "Personne ne regarde d'image en ce moment.",
  author: "Agent", camera: "Caméra", commune: "Commune", act: "Acte", since: "Depuis",
  history: "Qui a regardé", historyHelp: "Chaque consultation de cet historique est elle-même portée au journal.",
} as const;

export const tables = {
  suspend: "Suspendre", resume: "Rétablir", close: "Clôturer", create: "Créer un compte", confirm: "Confirmer",
  cancel: "Annuler", reason: "Raison (portée au journal, sans nom ni plaque)", state: "État", name: "Nom",
  role: "Rôle", login: "Identifiant", loginHint: "Deux caractères au moins sont attendus : minuscules, chiffres, points, tirets.", commune: "Commune", convention: "Convention", authorisation: "Autorisation",
  conventions: "Conventions", authorisationsInForce: "Autorisations enregistrées, par caméras",
  category: "Qualité", employer: "Commune employeuse", noEmployer: "Aucune (centre, syndicat, service de l'État)", rights: "Droits",
  period: "Validité", deadline: "Échéance", validity: "Validité", site: "Lieu", camera: "Caméra", cameras: "Caméras", pictures: "Images",
  lastFrame: "Dernière image", retention: "Conservation", agrement: "Agrément", action: "Décision",
  authority: "Autorité",
  noAuthorisation: "Sans autorisation :", none: "Aucune", empty: "Rien à afficher.", emptyOf: (what: string) => `${what} : rien à afficher.`, allowed: "Accessibles", withMotif: "Accessibles avec un motif", open: "Ouvert", closed: "Clos le",
  inForce: "En vigueur", suspended: "Suspendue", over: "Terminée", future: "À venir", noEnd: "sans terme",
  days: (n: number) => (n === 1 ? "1 jour" : `${n} jours`),
  remaining: (n: number) => (n <= 0 ? "dernier jour" : `dans ${n === 1 ? "1 jour" : `${n} jours`}`),
  camerasTitle: "Caméras et leur état", personsTitle: "Agents et habilitations",
  territoryTitle: "Communes, conventions et autorisations", accountsTitle: "Comptes",
  suspendTitle: (what: string) => `Suspendre : ${what}`, resumeTitle: (what: string) => `Rétablir : ${what}`,
  suspendHelp: "Effet immédiat : les images ouvertes sous ce droit sont coupées.",
  suspendedByCommune: "Suspendue par la commune, qui seule lève la suspension.",
  suspendConventionHelp: "Effet immédiat : les agents mis à disposition ne voient plus les caméras de la commune, et les images ouvertes sont coupées. L'enregistrement continue ; les agents de la commune gardent leurs accès.",
  conventionKinds: named({ IV: "Mise à disposition (L. 132-14 IV)", V: "Avec l'État (L. 132-14 V)", COORDINATION: "Coordination avec les forces de l'État" }),
  suspendRecordHelp: "Aucune image n'est coupée : cette convention n'ouvre pas d'accès. La suspension est portée au registre et au journal.",
  closeTitle: (what: string) => `Clôturer le compte ${what}`,
  closeHelp: "Le compte ne pourra plus ouvrir de session ; ses sessions en cours sont fermées.",
  secret: (login: string) => `Mot de passe du compte ${login}, affiché une seule fois :`,
  secretHelp: "Remettez-le à la personne, qui le changera en cliquant sur son nom en haut de l'écran.",
  reset: "Nouveau mot de passe", resetTitle: (what: string) => `Nouveau mot de passe : ${what}`,
  resetHelp: "L'ancien mot de passe ne vaudra plus ; les sessions en cours sont fermées.",
  grant: "Habiliter un agent", agent: "Agent", reference: "Référence de l'acte", from: "À compter du", to: "Jusqu'au (inclus)", until: (last: string) => `${last} inclus`,
  span: (from: string, last: string | null) => (last === null ? `à compter du ${from}, sans terme` : `du ${from} au ${last} inclus`),
  grantHelp: "Portez la désignation par l'autorité de la commune (CSI R.253-3) : sa référence, qui l'a signée, ses dates, ses droits.",
  choose: "Choisir", signedBy: "Signé par (pour un agent de l'État, son chef de service)", signedOn: "Signé le",
  end: "Mettre fin", endTitle: (what: string) => `Mettre fin : ${what}`,
  endHelp: "Effet immédiat et définitif : les images ouvertes sous ce droit sont coupées.",
  rule: {
    title: "Enquête administrative de plus de cinq ans",
    on: "Un agrément dont l'enquête administrative a plus de cinq ans n'ouvre aucune image.", off: "Un agrément dont l'enquête administrative a plus de cinq ans ouvre encore les images ; une alarme le signale.",
    turnOn: "Bloquer ces agents", turnOff: "Ne plus bloquer ces agents",
    onHelp: "Effet immédiat : les agents dont l'enquête est dépassée perdent les images, celles qu'ils ont ouvertes sont coupées.",
    offHelp: "Effet immédiat : ces agents retrouvent les images, et l'alarme demeure. La décision est portée au journal avec votre nom.",
  },
  createHelp: "Un compte neuf n'a aucun droit aux images : ils viennent avec une habilitation.",
} as const;
