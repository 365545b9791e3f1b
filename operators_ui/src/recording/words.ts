/** What a person reads: the recording view. */

import { named, files } from "../lib/words";

export const recording = {
  sections: "Parties de la vue Enregistrement",
  section: {
    storage: "Stockage", interruptions: "Interruptions annoncées", holds: "Conservations sur réquisition", retentions: "Durées de conservation",
    bases: "Bases légales", waiting: "En attente d'une seconde personne",
  },
  camera: "Caméra",
  storage: {
    title: "Stockage des enregistrements",
    away: "L'enregistreur ne répond pas : son état est inconnu.",
    running: "Effacements en cours",
    runningText: "Chaque enregistrement est effacé à son échéance.",
    directory: "Répertoire", state: "État", free: "Libre", capacity: "Utilisable, hors réserve", needed: "Besoin", held: "Sous réquisition",
    balance: "Solde", fullAt: "Plein le",
    ready: "En service", notReady: "Hors service", fits: "Tient jusqu'aux échéances",
    missing: (size: string) => `il manque ${size}`,
    spare: (size: string) => `il reste ${size}`,
    sumTitle: "Calcul",
    noRate: "Le débit d'une journée n'est pas encore mesuré : le besoin n'est pas connu.", unknown: "pas encore connu",
    sumNeeded: (rate: string, days: string, needed: string) =>
      `Besoin : ${rate} par jour (débit du dernier jour) × ${days} de conservation en moyenne = ${needed}.`,
    sumWanted: (needed: string, held: string, wanted: string) => `À garder : besoin ${needed} + sous réquisition ${held} = ${wanted}.`,
    sumBalance: (capacity: string, wanted: string) => `Solde : capacité ${capacity} − à garder ${wanted} :`,
    sumHelp: "La conservation de chaque caméra est celle de son autorisation ; la moyenne est pondérée par le débit.",
    byCamera: "Calcul par caméra", rate: "Débit du dernier jour", retention: "Conservation",
    perDay: (size: string) => `${size} par jour`,
    stopped: "Caméras qui ne sont plus enregistrées, faute de place",
  },
  degraded: {
    full: "Fonctionnement complet",
    fullText: "Rien n'est abandonné.",
    title: (level: number) => `Fonctionnement dégradé, niveau ${level} sur 3`,
    since: "Depuis le",
    levels: [
      "L'analyse est arrêtée ; les flux réduits ne sont tirés que pour les caméras regardées.",
      "Tous les flux réduits sont arrêtés.",
      "Les caméras de plus basse priorité ne sont plus enregistrées.",
    ],
    givenUp: (count: number) => (count === 1 ? "1 flux abandonné" : `${count} flux abandonnés`),
    stream: (stream: string) => (stream === "main" ? "plus enregistrée" : "flux réduit arrêté"),
  },
  freeze: {
    title: (subject: string) => (subject === "clock" ? "Effacements et relectures suspendus" : "Effacements en attente"),
    since: "depuis le",
    effect: (subject: string) =>
      subject === "clock"
        ? "Effacer ou relire à une heure fausse détruirait trop tôt, ou montrerait ce qui doit être détruit."
        : "Ce qui attend n'est pas effacé ; le reste l'est à son échéance.",
    amount: (segments: number, size: string) => `En attente d'effacement : ${files(segments)}, ${size}.`,
    twoPersons: "Deux personnes peuvent le lever : l'une propose après vérification, une autre confirme dans les trente minutes.",
    proposed: (who: string, at: string, until: string) => `Levée proposée par ${who} à ${at}, à confirmer avant ${until} :`,
    mine: "Une autre personne que vous doit confirmer.",
    propose: "Proposer la levée",
    proposeTitle: "Proposer la levée du gel",
    check: (subject: string) =>
      subject === "clock"
        ? "Comparez l'heure de la machine à une source sûre. Une fois le gel levé, ce qui est échu à cette heure est effacé sans retour."
        : "Vérifiez pourquoi il y a tant à effacer. Une fois le gel levé, ces enregistrements sont effacés sans retour.",
    confirm: "Confirmer la levée",
    confirmTitle: "Confirmer la levée du gel",
    confirmHelp: (subject: string) =>
      subject === "clock"
        ? "Vous attestez, avec la personne qui propose, que l'heure de la machine est juste. Ce qui est échu est effacé sans retour ; les relectures reprennent."
        : "Vous attestez, avec la personne qui propose, que ces effacements sont dus. Ils sont sans retour.",
  },
  interruptions: {
    title: "Interruptions annoncées",
    help: "Un arrêt prévu explique les images qui manqueront ; la caméra est enregistrée tant qu'elle en donne. Une caméra masquée n'est ni enregistrée ni montrée à personne.",
    camera: "Caméra", cause: "Nature", reason: "Motif", from: "Début", to: "Fin", state: "État", by: "Annoncée par", decision: "Décision",
    announce: { planned: "Annoncer un arrêt", masked: "Masquer une caméra" },
    announceHelp: {
      planned: "En vigueur aussitôt, jamais pour le passé.",
      masked: "Un autre superviseur doit confirmer dans les trente minutes ; le masquage commence alors, au plus tôt.",
    },
    localTime: "Heure locale (Europe/Paris).",
    states: named({
      proposed: "Proposée", expired: "Non confirmée", withdrawn: "Retirée", coming: "À venir", in_force: "En vigueur", over: "Terminée",
    }),
    pending: (step: "begin" | "end", who: string, until: string) =>
      `${step === "begin" ? "Masquage proposé" : "Fin proposée"} par ${who}, à confirmer avant ${until}`,
    confirm: "Confirmer",
    about: (reason: string, from: string, to: string, who: string) => `${reason}, du ${from} au ${to}. Proposé par ${who}.`,
    confirmTitle: (step: "begin" | "end", what: string) => `${step === "begin" ? "Masquer" : "Lever le masquage de"} ${what}`,
    confirmHelp: {
      begin: "Les images ouvertes de cette caméra sont coupées, et plus rien n'en est enregistré jusqu'à la fin.",
      end: "La caméra sera de nouveau enregistrée et montrée à ceux qui en ont le droit.",
    },
    end: "Mettre fin", proposeEnd: "Proposer d'y mettre fin", withdraw: "Retirer",
    endTitle: (what: string) => `Mettre fin : ${what}`,
    withdrawHelp: "La proposition est retirée : rien n'aura été masqué.",
    endHelp: {
      planned: "Ce qui manquera ensuite sera compté comme une panne.",
      masked: "Un autre superviseur doit confirmer ; jusque-là la caméra reste masquée.",
    },
  },
  waiting: {
    title: "En attente d'une seconde personne",
    help: "Une proposition tombe d'elle-même au bout de trente minutes.",
    caption: "Propositions à confirmer, celles qui tombent le plus tôt d'abord",
    none: "Rien n'attend de seconde personne.",
    what: "Décision", reason: "Vérifié ou invoqué", by: "Proposée par", at: "Proposée le", until: "Tombe à", decision: "Confirmation",
    centre: "Tout le centre", mine: "Une autre personne que vous", open: "Voir", confirm: "Confirmer",
    retentionHelp: "Ce qui dépasse cette durée est effacé sans retour.",
    supervisor: "Un superviseur", refuse: "Refuser", takeBack: "Retirer", closeHelp: "La proposition tombe aussitôt : rien n'aura été fait.",
    confirmHelp: (who: string) => `Vous confirmez, avec ${who}, cette décision : vos deux noms sont portés au journal.`,
    decisions: named({
      hold_release: "Levée d'une conservation", clock_release: "Levée du gel de l'heure", breaker_release: "Levée du gel des effacements",
      mask: "Masquage d'une caméra", unmask: "Fin d'un masquage", retention: "Durée de conservation",
      legal_basis: "Base légale d'un traitement",
    }),
  },
  retentions: {
    title: "Durées de conservation",
    help: "Une commune peut garder moins longtemps que son arrêté ne le permet : une personne propose, une autre confirme dans les trente minutes.",
    caption: "Durée de conservation de chaque caméra",
    authorised: "Permis par l'arrêté", minimum: "Minimum de l'arrêté", kept: "Gardé", pending: "Proposition", none: "Sans arrêté en vigueur", shortened: "abrégée",
    proposed: (who: string, until: string) => `Proposée par ${who}, à confirmer avant ${until}`, see: "Voir",
    propose: "Proposer une durée", proposeTitle: (what: string) => `Durée de conservation : ${what}`, days: "Durée (jours)",
    proposeHelp: (authorised: number) => `${authorised === 1 ? "Un jour" : `${authorised} jours`} au plus, selon l'arrêté. Rien ne change avant la confirmation ; ce qui dépasse une durée plus courte est alors effacé sans retour.`,
  },
  bases: {
    title: "Bases légales des analyses automatiques",
    help: "Aucune analyse n'a lieu sans base en vigueur pour cette fonction et cette caméra. Le droit n'en permet pas pour la voie publique : le registre la refuse, texte à l'appui.",
    caption: "Registre des bases légales, les plus récentes d'abord", none: "Aucune base légale n'est enregistrée : aucune analyse automatique n'a lieu.",
    what: "Traitement", reference: "Texte ou décision", registeredAt: "Enregistrée le", see: "Voir",
    states: { "in-force": "En vigueur", future: "À venir", over: "Terminée" }, endedAt: (at: string) => `fin anticipée le ${at}`,
    waiting: (n: number) => (n === 1 ? "Une base proposée attend une seconde personne." : `${n} bases proposées attendent une seconde personne.`),
    propose: "Proposer une base légale", proposeTitle: "Proposer une base légale", proposeHelp: "Une autre personne confirme dans les trente minutes ; la base vaut alors pour cette fonction, cette caméra et ces dates seulement, cinq ans au plus.",
    functions: { DEPOT: "Détection de dépôts de déchets", PRESENCE: "Détection d'une présence dans un lieu fermé", LAPI: "Lecture de plaques d'immatriculation" },
    end: "Mettre fin", endHelp: "L'analyse s'arrête pour cette caméra. Une nouvelle base demanderait de nouveau deux personnes.",
  },
  holds: {
    title: "Conservations sur réquisition",
    help: "L'existence d'une réquisition est couverte par le secret : cette liste n'est montrée qu'à ceux qui les traitent, et chaque consultation est journalisée.",
    requisition: "Numéro de procédure", from: "Début", to: "Fin", putAt: "Posée le", state: "État", decision: "Décision",
    put: "Conserver sur réquisition",
    putHelp: "Une caméra et une période, telles que la réquisition les nomme : rien d'autre n'est gardé au-delà de l'échéance.",
    kept: (segments: number, size: string) => `Conservation en vigueur : ${files(segments)}, ${size} pour l'instant.`,
    states: { in_force: "En vigueur", proposed: "Levée proposée", released: "Levée" },
    proposedAt: (at: string) => `le ${at}`,
    propose: "Proposer la levée", confirm: "Confirmer la levée",
    about: (camera: string, from: string, to: string) => `${camera}, du ${from} au ${to}.`,
    releaseTitle: (requisition: string) => `Lever la conservation ${requisition}`,
    proposeHelp: "Une autre personne devra confirmer. Ce qui est échu sera alors effacé sans retour.",
    confirmHelp: "Ce qui est échu sera effacé sans retour.",
  },
} as const;
