/** What a person reads: one camera and its replay. */

export const camera = {
  back: "Retour au mur",
  live: "Direct",
  backToLive: "Revenir au direct",
  minute: "Revenir d'une minute",
  replay: "Relecture",
  play: "Lire",
  pause: "Pause",
  space: "Espace",
  previousFrame: "Image précédente",
  nextFrame: "Image suivante",
  speed: "Vitesse",
  follow: "Suite de la relecture",
  ended: "Fin de l'intervalle demandé.",
  preparing: "Préparation de la relecture…",
  nothing: "Aucun enregistrement dans cet intervalle.",
  gap: "Interruption de l'enregistrement",
  mediaError: "La lecture a été interrompue par la passerelle vidéo.",
  gone: "Cette caméra n'est plus dans votre périmètre.",
} as const;

export const motif = {
  title: "Motif de la relecture",
  text: (camera: string, from: string, to: string) => `${camera}, du ${from} au ${to}.`,
  kept: "Le motif vaut pour cette caméra jusqu'à votre retour au mur ; chaque intervalle relu est journalisé.",
  choose: "Choisir un motif",
  motif: "Motif",
  reference: "Référence : numéro de procédure ou d'intervention",
  number: "Numéro de la décision, de la demande ou de l'intervention (porté au journal)",
  referenceHelp: "Des chiffres et des sigles ; jamais un nom ni une plaque.",
  submit: "Relire",
  cancel: "Annuler",
} as const;
