import type { ReactNode } from "react";
import type { Dated } from "../api/types";
import { day, lastDay } from "../lib/time";
import { useDesk } from "../shell/context";
import { Badge, ReasonButton } from "../shell/parts";
import { fr } from "../strings";
import { daysLeft, NEAR_DAYS, validity } from "./validity";

export function Table(props: {
  label: string; caption?: string; heads: readonly string[]; empty: boolean; children: ReactNode; testid: string;
}): ReactNode {
  if (props.empty) return <p className="quiet">{fr.tables.emptyOf(props.label)}</p>;
  return (
    <div className="table-scroll" role="region" aria-label={props.label} tabIndex={0}>
      <table data-testid={props.testid}>
        {props.caption && <caption>{props.caption}</caption>}
        <thead>
          <tr>{props.heads.map((head) => <th key={head} scope="col">{head}</th>)}</tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  );
}

const TONES = { "in-force": "good", suspended: "bad", over: "quiet", future: "warning" } as const;
const WORDS = {
  "in-force": fr.tables.inForce, suspended: fr.tables.suspended, over: fr.tables.over, future: fr.tables.future,
} as const;

export function Standing(props: { fact: Dated }): ReactNode {
  const { now } = useDesk();
  const state = validity(props.fact, now());
  return (
    <>
      <Badge tone={TONES[state]}>{WORDS[state]}</Badge>
      {props.fact.suspended_reason && <small>{props.fact.suspended_reason}</small>}
    </>
  );
}

export function Period(props: { fact: Dated }): ReactNode {
  const { now } = useDesk();
  const { fact } = props;
  const left = daysLeft(fact, now());
  return (
    <>
      {day(fact.from)} – {fact.to === null ? fr.tables.noEnd : fr.tables.until(lastDay(fact.to))}
      {left !== null && left >= 0 && left < NEAR_DAYS && <small><Badge tone="warning">{fr.tables.remaining(left)}</Badge></small>}
    </>
  );
}

/** Suspending a legal fact or lifting the suspension. */
export function SuspendButton(props: {
  kind: "conventions" | "habilitations" | "authorisations"; id: string; what: string; fact: Dated; onDone: () => void; help?: string;
}): ReactNode {
  const { now } = useDesk();
  const state = validity(props.fact, now());
  if (state === "over") return null;
  const verb = state === "suspended" ? "resume" : "suspend";
  return (
    <ReasonButton
      label={fr.tables[verb]} path={`/api/${props.kind}/${props.id}/${verb}`} testid={`${verb}-${props.kind}`} id={props.id}
      title={verb === "suspend" ? fr.tables.suspendTitle(props.what) : fr.tables.resumeTitle(props.what)}
      warning={verb === "resume" ? null : (props.help ?? fr.tables.suspendHelp)} onDone={props.onDone}
    />
  );
}
