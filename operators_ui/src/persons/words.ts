/** What a person reads: the view of agents. */

import { named } from "../lib/words";

export const persons = {
  sections: "Parties de la vue Agents",
  section: { dues: "À faire", habilitations: "Habilitations", register: "Agréments et comptes", proof: "Preuve d'une habilitation" },
  titles: { dues: "Ce qui arrive à échéance", habilitations: "Agents et habilitations", register: "Agréments, revue annuelle et départs", proof: "Cet agent était-il habilité ?" },
  duesCaption: "Échéances des agents, la plus proche d'abord", noDues: "Rien n'arrive à échéance.",
  due: "Échéance", by: "Pour le", who: "Agent",
  dueOf: named({
    AGREMENT_ENDING: "Agrément à renouveler", AGREMENT_SUSPENDED: "Agrément suspendu", DELEGATION_ENDING: "Délégation qui s'achève",
    DESIGNATION_ENDING: "Désignation qui s'achève", INQUIRY_DUE: "Enquête administrative à refaire", INQUIRY_OVERDUE: "Enquête administrative dépassée",
    LEAVER: "Départ : compte à clore", REVIEW_DUE: "Revue annuelle à faire", REVIEW_OVERDUE: "Revue annuelle dépassée",
  }),
  habilitationsCaption: "Désignations et délégations, par agent",
  regime: named({ VOIE_PUBLIQUE: "voie publique", ABORDS_TERRO: "abords (terrorisme)", ERP: "lieux ouverts au public", COMMERCE: "commerces", HORS_CSI: "hors CSI" }),
  registerCaption: "Agrément, dernière confirmation des droits et état du compte de chaque agent",
  agrementNew: "Nouvel agrément", agrementRenew: "Renouveler l'agrément", agrementTitle: (who: string) => `Agrément : ${who}`,
  agrementHelp: "La décision du préfet, telle qu'elle est prise (CSI L.132-14-1). Elle remplace l'agrément précédent ; une suspension demeure jusqu'à ce qu'elle soit levée.",
  agrementOf: (who: string) => `agrément de ${who}`, agrementSuspend: "Suspendre l'agrément", agrementResume: "Rétablir l'agrément",
  decision: "Référence de la décision", prefet: "Préfet qui l'a prise", departementsField: "Départements (27, 76)", departementsHint: "Des numéros de département séparés par des virgules sont attendus.", agrementTo: "Jusqu'au (inclus, si un terme est fixé)",
  inquiryOn: "Date de l'enquête administrative (celle du début si elle n'est pas connue)",
  inquiry: "Enquête avant le", departements: (list: string) => `${list.includes(",") ? "départements" : "département"} ${list}`,
  review: "Revue annuelle", confirmedAt: (at: string, who: string | null) => (who === null ? `le ${at}` : `le ${at} par ${who}`), never: "jamais confirmé", reviewBy: (at: string) => `avant le ${at}`,
  account: "Compte", leaving: (at: string) => `départ, clos le ${at}`, confirm: "Confirmer les droits",
  confirmTitle: (who: string) => `Confirmer les droits : ${who}`, confirmHelp: "Vous attestez que cette personne a toujours besoin de son compte et de ses droits.",
  leave: "Départ", leaveTitle: (who: string) => `Départ : ${who}`, leaveDays: "Jours avant la clôture du compte (7 au plus, 0 : aussitôt)",
  leaveHelp: "Le compte et les images ouvertes se ferment d'eux-mêmes à cette date.", stay: "Annuler le départ", stayTitle: (who: string) => `Annuler le départ : ${who}`,
  stayHelp: "Le compte reste ouvert, avec ses droits.",
  blocks: "Ici, un agrément dont l'enquête a plus de cinq ans n'ouvre aucune image.",
  act: (basis: string, reference: string, by: string | null, on: string | null) =>
    `${basis} ${reference}, ${by === null ? "signataire non enregistré" : `signé par ${by}`}${on === null ? "" : ` le ${on}`}`,
  deport: (reference: string) => `Déport ${reference}`,
  proofHelp: "Le centre répond par un fichier signé, qui vaut pour la caméra et l'instant choisis, et porte la demande au journal.",
  at: "À la date du (heure de Paris)", take: "Demander la réponse", answer: (who: string, isHabilite: boolean, camera: string, at: string) =>
    `${who} : ${isHabilite ? "habilité" : "pas habilité"} pour la caméra ${camera} le ${at}.`,
  allowed: "permis", file: "Télécharger la réponse signée", checkHelp: "Vérification :",
} as const;
