/** What a person reads: taking a post, passwords, the lock. */

export const login = {
  title: "Prise de poste",
  login: "Identifiant",
  password: "Mot de passe",
  motif: "Motif de la vacation",
  noMotif: "Sans motif de direct (audit, administration)",
  submit: "Prendre le poste",
  busy: "Vérification…",
  motifHelp: "Porté au journal pour chaque image en direct regardée pendant la vacation.",
  notice: "Toute consultation d'image est journalisée avec son auteur, sa date et son motif.",
  ended: "La session est terminée. Reprenez le poste pour continuer.",
  notClosed: "Le centre ne répond pas : la session n'est pas encore fermée. Nouvel essai en cours ; ne laissez pas ce poste sans surveillance.",
  noMotifs: "Les motifs ne sont pas encore connus : le centre ne répond pas. Nouvel essai en cours.",
} as const;

export const password = {
  title: "Changer de mot de passe",
  now: "Mot de passe actuel",
  next: "Nouveau mot de passe (12 caractères au moins)",
  again: "Nouveau mot de passe, encore une fois",
  differs: "Les deux saisies du nouveau mot de passe diffèrent.",
  help: "Vos sessions sur d'autres postes seront fermées.",
} as const;

export const lock = {
  action: "Verrouiller",
  title: "Poste verrouillé",
  text: (name: string) => `Session ouverte : ${name}. Les images sont retirées de l'écran ; l'enregistrement continue.`,
  unlock: "Déverrouiller",
  change: "Changer d'agent",
  unconfirmed: "Le centre n'a pas encore confirmé le verrouillage ; nouvel essai en cours.",
} as const;
