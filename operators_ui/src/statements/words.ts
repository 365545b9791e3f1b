/** What a person reads: daily statements. */

import { CAUSES, named, files } from "../lib/words";

const DESTROYED: Readonly<Record<string, string>> = {
  deadline: "à l'échéance",
  released: "après la fin d'une conservation",
  space: "faute de place, après le délai minimal",
};

export const statements = {
  title: "Relevés quotidiens",
  choice: "Commune et mois",
  monthBefore: "Mois précédent",
  monthAfter: "Mois suivant",
  daysTitle: "Relevés signés des journées",
  daysCaption: (commune: string) => `Effacements, inventaire et enregistrement de chaque journée, ${commune} (heure de Paris)`,
  dayTitle: (day: string, number: number) => `Relevé n° ${number}, ${day}`,
  dayCaption: "Effacements, inventaire de la nuit et enregistrement de chaque caméra (heure de Paris)",
  monthTitle: "Enregistrement du mois",
  monthCaption: "Part du temps enregistrée, et part de chaque cause d'absence, par caméra",
  monthHelp: "Les parts d'une ligne font exactement 100 %, temps hors autorisation compris.",
  heads: {
    day: "Journée", number: "N°", state: "État", destroyed: "Effacé", left: "Reste", oldest: "Plus ancienne image",
    overdue: "En retard", held: "Conservés après échéance", recorded: "Enregistré", file: "Relevé", camera: "Caméra", gaps: "Absences",
    days: "Jours", expected: "Attendu",
  },
  files,
  destroyed: (cause: string, n: number) => `${files(n)} ${DESTROYED[cause] ?? cause}`,
  between: (first: string, last: string) => `images du ${first} au ${last}`,
  outOf: (expected: string) => `de ${expected}`,
  nothing: "rien",
  absence: named(CAUSES),
  noGap: "aucune",
  notTold: "Non transmis par l'enregistreur",
  away: "une partie du stockage n'a pu être lue",
  complete: "Complet",
  missing: (n: number) => (n === 1 ? "1 donnée manquante" : `${n} données manquantes`),
  corrects: (number: number) => `rectifie le n° ${number}`,
  superseded: "rectifié depuis",
  download: "Fichier signé",
  text: "Texte",
  of: (number: number) => `du relevé n° ${number}`,
  newTab: "(nouvel onglet)",
  signedAt: (at: string, key: string) => `signé le ${at}, clé ${key}`,
  inProgress: (days: number, of: number) => `Mois en cours : ${days} ${days < 2 ? "jour écoulé" : "jours écoulés"} sur ${of}`,
  monthOver: "Mois terminé",
  noDay: "Aucune journée entière n'a été comptée dans ce mois.",
  total: "Ensemble des caméras",
  csv: "Télécharger le mois (CSV)",
  noneYet: "Aucun relevé encore : le premier est signé dans la nuit qui suit la première journée.",
  noneInMonth: (last: string) => `Aucun relevé ce mois-ci ; le dernier est du ${last}.`,
} as const;
