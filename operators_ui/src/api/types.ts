/** What the centre answers. Instants become milliseconds UTC; unknown members are ignored. */

import {
  array, asTold, boolean, either, instant, member, nullable, number, object, oneOf, record, string, withDefault, type Decoded,
} from "../lib/decode";

const commune = object({ insee: string, name: string });

export const motif = object({
  code: string,
  label: string,
  acts: withDefault(array(string), []),
  reference_required: withDefault(boolean, false),
});
export type Motif = Decoded<typeof motif>;

export const session = object({
  account: object({ id: string, login: string, name: string, role: string, commune: nullable(commune) }),
  csrf: string,
  shift_motif: nullable(object({ code: string, label: string })),
  gateway_origin: string,
  locked: withDefault(boolean, false),
  now: instant,
  /** At the latest, however much is done until then. */
  ends_at: instant,
  centre: string,
});
export type Session = Decoded<typeof session>;

const permission = object({ allowed: boolean, code: nullable(string), reason: nullable(string) });
export type Permission = Decoded<typeof permission>;

/** An interruption in force, or about to begin. */
const announced = object({ cause: string, from: instant, to: instant });
export type Announced = Decoded<typeof announced>;

export const camera = object({
  id: string,
  number: nullable(either(number, string)),
  name: string,
  commune,
  site: nullable(string),
  state: withDefault(string, "unknown"),
  fault: nullable(string),
  fault_reason: nullable(string),
  since: nullable(instant),
  last_frame_at: nullable(instant),
  streams: withDefault(array(oneOf("main", "sub")), []),
  interruption: nullable(announced),
  live: permission,
  replay: permission,
});
export type Camera = Decoded<typeof camera>;
export const cameras = member("cameras", array(camera));

export type Stream = "main" | "sub";
export type TicketRequest =
  | { readonly camera: string; readonly act: "live"; readonly stream: Stream }
  | {
      readonly camera: string;
      readonly act: "replay";
      readonly from: string;
      readonly to: string;
      readonly motif: { readonly code: string; readonly reference: string | null };
    };

const granted = object({ camera: string, ticket: string });
const refusal = object({ code: string, reason: string });
const refusedTicket = object({ camera: string, refused: refusal });
export const tickets = member("results", array(either(granted, refusedTicket)));
export type TicketResult = Decoded<typeof tickets>[number];

const stretch = object({ from: instant, to: instant });
export const timeline = object({
  from: instant,
  to: instant,
  runs: array(stretch),
  gaps: array(object({ from: instant, to: instant, cause: string, reason: nullable(string) })),
  interruptions: withDefault(array(announced), []),
  now: instant,
});
export type Timeline = Decoded<typeof timeline>;
export type Gap = Timeline["gaps"][number];

export const alarms = member(
  "alarms",
  array(
    object({
      id: either(string, number), code: string, subject: nullable(string), message: string,
      since: instant, ended: nullable(instant), is_event: boolean,
    }),
  ),
);
export type Alarm = Decoded<typeof alarms>[number];

export const journal = object({
  entries: array(
    object({
      leaf: nullable(number), at: instant, author: nullable(string), person: nullable(string), quality: nullable(string),
      authority: nullable(string), op: string, op_label: nullable(string), camera: nullable(string),
      camera_name: nullable(string), from: nullable(instant), to: nullable(instant), motif: nullable(string),
      motif_reference: nullable(string), result: string, code: nullable(string), reason: nullable(string),
      workstation: nullable(string), about: nullable(string), given: nullable(string), commune: nullable(string),
      op_class: nullable(string), recipients: withDefault(array(string), []),
      frames: nullable(number), bytes: nullable(number), page_says_stepped: nullable(number),
    }),
  ),
  next: nullable(either(number, string)),
});
export type JournalEntry = Decoded<typeof journal>["entries"][number];

export const checkpoint = object({ tree_size: number, root: string, signed_at: nullable(instant), key: nullable(string) });
export type Checkpoint = Decoded<typeof checkpoint>;

/** `signed_at` stays the text that was signed. */
const signedHead = object({ tree_size: number, root: string, signed_at: string, key: string, signature: string });
export const inclusion = object({ kind: oneOf("inclusion"), entry: string, salt: string, leaf: number, head: signedHead, proof: array(string) });
/** Of an entry that the reader may not see whole: its hash alone. */
export const leafInclusion = object({ kind: oneOf("leaf"), hash: string, leaf: number, head: signedHead, proof: array(string) });
export const proof = either(inclusion, leafInclusion);
export const consistency = object({ kind: oneOf("consistency"), old: signedHead, head: signedHead, proof: array(string) });
export type Consistency = Decoded<typeof consistency>;
export type SignedHead = Decoded<typeof signedHead>;

export const journalScope = object({
  persons: array(object({ id: string, name: string })), communes: array(commune), ops: array(object({ op: string, label: string })),
  motifs: array(object({ code: string, label: string })),
});
export type JournalScope = Decoded<typeof journalScope>;

export const looks = object({
  looks: array(
    object({
      leaf: nullable(number), author: string, person: nullable(string), quality: string, authority: nullable(string),
      commune: nullable(string), camera: nullable(string), camera_name: nullable(string), act: string, motif: nullable(string),
      motif_reference: nullable(string), workstation: nullable(string), begun_at: instant, ended_at: nullable(instant),
      reason: nullable(string), served: array(object({ from: instant, to: instant })), frames: number, bytes: number,
      page_says_stepped: number, page_says_stepped_in: array(object({ from: instant, to: instant })),
    }),
  ),
  is_cut: boolean,
});
export type Look = Decoded<typeof looks>["looks"][number];

const sum = object({ key: nullable(string), name: string, live: number, replay: number, seconds: number });
export type Sum = Decoded<typeof sum>;
export const journalStatistics = object({
  agents: array(sum), cameras: array(sum), communes: array(sum), hours: array(sum),
  refusals: array(object({ code: string, reason: string, count: number })),
});
export type JournalStatistics = Decoded<typeof journalStatistics>;

/** Who has looked into an anomaly, when, and what they say of it. */
export const seen = object({ by: string, at: instant, comment: string });
export const anomalies = object({
  rules: array(object({ code: string, label: string, bound: string })),
  anomalies: array(
    object({
      id: string, code: string, author: string, author_name: string, camera: nullable(string), camera_name: nullable(string),
      from: instant, to: instant, count: number, seconds: number, reference: nullable(string), seen: nullable(seen),
    }),
  ),
});
export type Anomalies = Decoded<typeof anomalies>;
export type Anomaly = Anomalies["anomalies"][number];

export const watching = member(
  "watching",
  array(
    object({
      author: string, camera: nullable(string), camera_name: nullable(string), commune: nullable(string), act: string, since: instant,
    }),
  ),
);
export type Watching = Decoded<typeof watching>[number];

const planItem = either(
  object({
    kind: oneOf("clip"), from: instant, to: instant, media_from_s: number, media_to_s: number,
  }),
  object({ kind: oneOf("gap"), from: instant, to: instant, cause: string, reason: nullable(string) }),
);
export const plan = object({ from: instant, to: instant, duration_s: number, items: array(planItem) });
export type Plan = Decoded<typeof plan>;
export type PlanItem = Plan["items"][number];

export const playback = object({ lease: string, url: string, mime: nullable(string), plan });
export type Playback = Decoded<typeof playback>;

const suspendable = {
  id: string, reference: string, from: instant, to: nullable(instant),
  suspended_at: nullable(instant), suspended_reason: nullable(string),
};
const convention = object({ ...suspendable, kind: string, partner: string, suspended_as: nullable(string) });
const line = object({
  ...suspendable, finalites: array(string), visualised: boolean, recorded: boolean, retention_days: number,
});
const site = object({
  name: string, address: nullable(string), latitude: nullable(number), longitude: nullable(number),
});
const territoryCamera = object({
  id: string, number: string, name: string, site: string, regime: string, authorisations: array(line),
});
export const territory = member(
  "communes",
  array(
    object({
      insee: string, name: string, departement: withDefault(string, ""), authority: string,
      population: nullable(number), epci: nullable(string), epci_name: nullable(string),
      controller: nullable(string), dpo: nullable(string),
      deliberation: nullable(string), deliberation_on: nullable(string),
      cnil_sent_on: nullable(string), cnil_receipt: nullable(string),
      conventions: array(convention), sites: withDefault(array(site), []), cameras: array(territoryCamera),
    }),
  ),
);
/** The official list. */
export const listedCommunes = member("communes", array(object({ insee: string, name: string, departement: string, epci_name: nullable(string) })));
export type ListedCommune = Decoded<typeof listedCommunes>[number];
const authorisationLine = object({
  camera: object({ id: string, number: string, name: string, commune }),
  regime: string,
  finalites: array(string), visualised: boolean, recorded: boolean, retention_days: number,
  minimum_days: nullable(number), recipients: array(string),
  plan: nullable(string), fast_flow: boolean, width: nullable(number), height: nullable(number),
  per_s: nullable(number), exemption: nullable(string),
  position: asTold, field: asTold, masks: withDefault(asTold, []), ptz: asTold,
  sent_on: nullable(string), service_on: nullable(string), in_service_at: nullable(instant),
});
export type AuthorisationLine = Decoded<typeof authorisationLine>;
/** Civil days (`on`, `complete_on`, ...) stay as they are written; `steps` are the last words of the paths to post to. */
export const authorisation = object({
  id: string, commune, dossier: string, reference: nullable(string), kind: string, state: string,
  replaces: nullable(string), from: nullable(instant), to: nullable(instant), complete_on: nullable(string),
  suspended_at: nullable(instant), suspended_reason: nullable(string), ended_at: nullable(instant),
  lines: array(authorisationLine),
  events: array(object({
    event: string, at: instant, on: string, reference: nullable(string), author: nullable(string),
  })),
  deadlines: array(object({ code: string, at: instant })),
  alarms: withDefault(array(object({ code: string, message: string })), []),
  steps: array(string),
  blocked: nullable(object({ code: string, reason: string })),
});
export type Authorisation = Decoded<typeof authorisation>;
export const authorisations = member("authorisations", array(authorisation));

export type TerritoryCommune = Decoded<typeof territory>[number];
export type Dated = Pick<Decoded<typeof convention>, "from" | "to" | "suspended_at" | "suspended_reason">;

export const statementCommunes = member("communes", array(object({ insee: string, name: string, last_day: nullable(string) })));
export type StatementCommune = Decoded<typeof statementCommunes>[number];

const counted = { files: number, bytes: number, overdue: number };
const totals = object({
  ...counted, destroyed: object({ count: number, bytes: number }), oldest: nullable(instant), expected_us: number, recorded_us: number,
});
export const statementLines = member(
  "statements",
  array(
    object({
      number, day: string, corrects: nullable(number), signed_at: instant, hash: string, cameras: number, missing: number, held: nullable(number), totals,
    }),
  ),
);
export type StatementLine = Decoded<typeof statementLines>[number];

const destroyed = object({ cause: string, count: number, bytes: number, first: instant, last: instant });
const stated = object({
  camera: string, number: string, name: string,
  destroyed: array(destroyed),
  inventory: nullable(object({ ...counted, at: instant, oldest: nullable(instant) })),
  coverage: nullable(object({ expected_us: number, sums_us: record(number) })),
});
export const signedStatement = object({
  statement: object({
    number, day: string, signed_at: instant, cameras: array(stated), missing: array(object({ camera: string, what: string })),
  }),
  kid: string,
  /** What of holds the statement says by its hash only; for those who may know of them. */
  withheld: nullable(object({ cameras: array(object({ camera: string, held: number, destroyed: array(destroyed) })) })),
});
export type SignedStatement = Decoded<typeof signedStatement>;

const coverageLine = { days: number, expected_us: number, sums_us: record(number), percent: record(number) };
export type CoverageLine = Pick<CoverageMonth["total"], keyof typeof coverageLine>;
export const coverageMonth = object({
  month: string, in_progress: boolean, days: number, days_of_month: number,
  cameras: array(object({ camera: string, number: string, name: string, ...coverageLine })),
  total: object(coverageLine),
});
export type CoverageMonth = Decoded<typeof coverageMonth>;

const accountShape = {
  id: string, login: string, name: string, role: string, category: string, employer: nullable(string),
  agrement_reference: nullable(string), agrement_to: nullable(instant), created_at: instant, closed_at: nullable(instant),
  /** Since when the person is known to leave, and when the account ends then. */
  leaving_at: nullable(instant), closes_at: nullable(instant),
};
const account = object(accountShape);
/** `inquiry_blocks`: whether an agrément whose inquiry is over five years old opens nothing here. */
export const accounts = object({ accounts: array(account), inquiry_blocks: boolean });
export type Account = Decoded<typeof account>;
export const createdAccount = object({ id: string, login: string, password: string });
/** `regimes` null: each that admits the person's category. */
const habilitation = object({
  ...suspendable, commune: string, basis: string, rights: array(string), regimes: nullable(array(string)),
  signed_by: nullable(string), signed_on: nullable(string),
});
/** `inquiry_by`: when a new administrative inquiry is due. */
const agrement = object({
  reference: string, prefet: nullable(string), departements: array(string), from: instant, to: nullable(instant),
  inquiry_at: instant, inquiry_by: instant, suspended_at: nullable(instant), suspended_reason: nullable(string),
});
/** What is due of a person, and by when (since when, for what is suspended): `AGREMENT_ENDING`, `AGREMENT_SUSPENDED`,
    `DELEGATION_ENDING`, `DESIGNATION_ENDING`, `INQUIRY_DUE`, `INQUIRY_OVERDUE`, `LEAVER`, `REVIEW_DUE`, `REVIEW_OVERDUE`. */
const due = object({ code: string, by: instant, commune: nullable(string) });
export type Due = Decoded<typeof due>;
const person = object({
  ...accountShape, habilitations: array(habilitation), agrement: nullable(agrement),
  confirmed_at: nullable(instant), confirmed_by: nullable(string), review_by: nullable(instant), dues: array(due),
});
export type Person = Decoded<typeof person>;
/** `inquiry_blocks`: whether an agrément whose inquiry is over five years old opens nothing here. */
export const personsPage = object({ persons: array(person), inquiry_blocks: boolean });
/** Every version of a person's facts, the oldest first; `known` is the fact's row, without secrets. */
export const personHistory = member("versions", array(object({
  fact: string, key: string, recorded_at: instant, written_at: instant,
  known: object({ suspended_at: nullable(string), suspended_reason: nullable(string) }),
})));
/** Was a person habilité for a camera at a date: what of the signed file the console shows; the whole is downloaded. */
export const habilitationAnswer = member("answer", object({
  login: string, camera: object({ number: string, name: string }), at: instant, habilite: boolean,
  rights: record(object({ allowed: boolean, code: nullable(string), reason: nullable(string) })),
  acts: withDefault(array(object({
    basis: string, reference: string, signed_by: nullable(string), signed_on: nullable(string), from_at: nullable(instant), to_at: nullable(instant),
  })), []),
  deports: withDefault(array(object({ reference: string, from_at: instant, to_at: instant })), []),
}));

const cameraRef = object({ id: string, number: string, name: string, commune });
export type CameraRef = Decoded<typeof cameraRef>;

const pressure = object({
  capacity_bytes: number, needed_bytes: number, held_bytes: number, bytes_per_day: number, full_at: nullable(instant),
});
const directory = object({
  path: string, ready: boolean, code: nullable(string), reason: nullable(string), free_bytes: number, pressure: nullable(pressure),
});
export type Directory = Decoded<typeof directory>;

const proposal = object({
  id: string, reason: string, proposed_at: instant, proposed_by: string, mine: boolean, expires_at: instant,
});
export const proposals = member(
  "proposals",
  array(
    object({
      id: string, reason: string, proposed_at: instant, proposed_by: string, mine: boolean, expires_at: instant,
      decision: string, camera: nullable(cameraRef), days: nullable(number),
      basis: nullable(object({ label: string, reference: string, from: instant, to: instant })), may_decide: boolean,
    }),
  ),
);
export type WaitingProposal = Decoded<typeof proposals>[number];

/** Days: what the arrêté in force allows (null without one), its minimum, and how long recordings live. */
const retention = object({
  camera: cameraRef, authorised: nullable(number), minimum: nullable(number), kept: nullable(number), pending: nullable(proposal),
});
export type Retention = Decoded<typeof retention>;
export const retentions = member("retentions", array(retention));

const basis = object({
  id: string, camera: cameraRef, function: string, label: string, reference: string, from: instant, to: instant,
  registered_at: instant, ended_at: nullable(instant),
});
export type Basis = Decoded<typeof basis>;
export const bases = object({ bases: array(basis), proposed: array(object({ id: string })) });

/** `count` times since `at`, refused by that part of the centre. */
const securityEvent = object({
  n: number, at: instant, source: string, code: string, label: string, login: nullable(string), workstation: nullable(string),
  count: number,
});
export type SecurityEvent = Decoded<typeof securityEvent>;
export const security = object({ events: array(securityEvent), next: nullable(number) });

const freeze = object({
  subject: oneOf("clock", "breaker"), id: string, reason: string, since: nullable(instant), segments: nullable(number),
  bytes: nullable(number), proposal: nullable(proposal),
});
export type Freeze = Decoded<typeof freeze>;

const givenUp = object({ id: string, number: string, name: string, commune, stream: string });
export const recorder = object({
  answers: boolean,
  storage: array(directory),
  freezes: array(freeze),
  degraded: nullable(
    object({ level: number, reason: nullable(string), since: nullable(instant), given_up: array(givenUp) }),
  ),
  stopped: array(cameraRef),
});
export type RecorderState = Decoded<typeof recorder>;

export const needs = member(
  "needs",
  array(object({ camera: cameraRef, path: string, bytes_per_day: number, retention_days: number, needed_bytes: number })),
);
export type Need = Decoded<typeof needs>[number];

/** Pictures that an arrêté opens to agents of the State; `cameras` null: each of the commune. */
const deport = object({
  id: string, commune, reference: string, persons: array(object({ account: string, login: string, name: string, category: string })),
  cameras: nullable(array(cameraRef)), rights: array(string), recipient_days: number, from: instant, to: instant,
  suspended_at: nullable(instant), suspended_reason: nullable(string),
});
export type Deport = Decoded<typeof deport>;
export const deports = member("deports", array(deport));

const interruptionReason = object({ cause: string, code: string, label: string });
export type InterruptionReason = Decoded<typeof interruptionReason>;
const interruption = object({
  id: string, camera: cameraRef, cause: oneOf("planned", "masked"), reason: string, from: instant, to: instant, state: string,
  announced_by: string, announced_at: instant,
  pending: nullable(object({ step: oneOf("begin", "end"), proposed_by: string, mine: boolean, expires_at: instant })),
});
export type Interruption = Decoded<typeof interruption>;
export const interruptions = object({ interruptions: array(interruption), reasons: array(interruptionReason) });

const holdShape = {
  id: string, camera: string, from: instant, to: instant, requisition: string, put_at: instant,
  release_proposed_at: nullable(instant), release_proposed_by_me: boolean, released_at: nullable(instant),
};
const hold = object(holdShape);
export type Hold = Decoded<typeof hold>;
export const holds = member("holds", array(hold));
export const putHold = object({ ...holdShape, segments: number, bytes: number });
export type PutHold = Decoded<typeof putHold>;
