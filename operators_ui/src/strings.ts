/** Everything that a person reads in the console: what all views share here, the rest beside the view in its `words.ts`. */

import { journal, security } from "./journal/words";
import { ROLES, CAUSES, CAMERA_STATES, RESULTS, CATEGORIES, BASES, RIGHTS, named, ADVICE } from "./lib/words";
import { persons } from "./persons/words";
import { recording } from "./recording/words";
import { camera, motif } from "./replay/words";
import { login, password, lock } from "./session/words";
import { alarms, banner, help } from "./shell/words";
import { statements } from "./statements/words";
import { watching, tables } from "./tables/words";
import { dossiers, deports } from "./territory/words";
import { timeline } from "./timeline/words";
import { wall, picker } from "./wall/words";

export const fr = {
  role: named(ROLES),
  cause: named(CAUSES),
  cameraState: named(CAMERA_STATES),
  result: named(RESULTS),
  category: named(CATEGORIES),
  categories: CATEGORIES,
  roles: ROLES,
  basis: named(BASES),
  right: named(RIGHTS),
  act: named({ live: "Direct", replay: "Relecture" }),
  centre: "Centre de supervision",
  /** Empty where the reason says it all. */
  advice: (code: string): string => ADVICE[code] ?? "",
  failure: {
    unreachable: "Le centre ne répond pas.",
    unexpected: (detail: string) => `Réponse inattendue du centre (${detail}).`,
    broken: (status: number) => `Le centre a rencontré une erreur (${status}).`,
    noReason: "Refusé sans motif indiqué.",
    retry: "Réessayer",
    retrying: "Nouvel essai en cours.",
  },
  dates: {
    shape: { day: "jj/mm/aaaa", instant: "jj/mm/aaaa hh:mm" },
    day: "Écrivez un jour qui existe, par exemple 26/11/2026.",
    instant: "Écrivez un jour qui existe et une heure, par exemple 26/11/2026 14:30.",
  },
  login,
  password,
  lock,
  shell: {
    starting: "Ouverture de la console…",
    leaving: "Fermeture du poste…",
    logout: "Quitter le poste",
    help: "Aide clavier",
    shift: "Vacation",
    noShift: "sans motif",
    changeShift: "Changer le motif de la vacation",
    skip: "Aller au contenu",
    nav: "Vues",
    views: {
      wall: "Mur", recording: "Enregistrement", journal: "Journal", watching: "Qui regarde", cameras: "Caméras", persons: "Agents",
      territory: "Territoire", accounts: "Comptes", statements: "Relevés", security: "Sécurité",
    },
    loading: "Chargement…",
    stalePoll: "Données non rafraîchies :",
  },
  alarms,
  wall,
  picker,
  camera,
  timeline,
  motif,
  journal,
  security,
  watching,
  tables,
  banner,
  recording,
  persons,
  deports,
  dossiers,
  statements,
  help,
} as const;
