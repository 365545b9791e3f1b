/** What a person reads: the timeline. */

export const timeline = {
  title: "Chronologie",
  help: "Flèches : déplacer le curseur · + et − : zoom · Page : défiler · Début : maintenant · Entrée : relire",
  zoomIn: "Agrandir",
  zoomOut: "Réduire",
  now: "Maintenant",
  goTo: "Aller au",
  look: "Situer",
  notYet: "Cet instant est à venir.",
  table: "Tableau des enregistrements et interruptions",
  kind: "Nature",
  from: "Début",
  to: "Fin",
  length: "Durée",
  cause: "Cause",
  run: "Enregistré",
  gap: "Interruption",
  announced: "Annonce",
  unavailable: "Chronologie indisponible :",
  spring: "Jour de 23 heures (passage à l'heure d'été)",
  autumn: "Jour de 25 heures (passage à l'heure d'hiver)",
} as const;
