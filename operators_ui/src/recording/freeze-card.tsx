/** A freeze of destruction and its two-person release. */

import type { ReactNode } from "react";
import type { Freeze } from "../api/types";
import { clock, dayAndClock } from "../lib/time";
import { useDesk } from "../shell/context";
import { fr } from "../strings";
import { size } from "./arithmetic";
import { MotifFields, motifIn } from "./motif-fields";
import { Step } from "./step";

const MAY_RELEASE = new Set(["supervisor", "administrator"]);

export function FreezeCard({ freeze, onDone }: { freeze: Freeze; onDone: () => void }): ReactNode {
  const { session } = useDesk();
  const words = fr.recording.freeze;
  const { proposal } = freeze;
  return (
    <section className="notice notice-error" data-testid="freeze" data-subject={freeze.subject} data-proposed={proposal !== null}>
      <div>
        <h2>{words.title(freeze.subject)}{freeze.since !== null && ` ${words.since} ${dayAndClock(freeze.since)}`}</h2>
        <p>{freeze.reason} {words.effect(freeze.subject)}</p>
        {freeze.segments !== null && freeze.bytes !== null && <p>{words.amount(freeze.segments, size(freeze.bytes))}</p>}
        {proposal !== null && (
          <p data-testid="proposal">{words.proposed(proposal.proposed_by, clock(proposal.proposed_at), clock(proposal.expires_at))} « {proposal.reason} »</p>
        )}
        {proposal === null && <p>{words.twoPersons}</p>}
        {proposal?.mine && <p>{words.mine}</p>}
      </div>
      {MAY_RELEASE.has(session.account.role) && (proposal === null
        ? <Propose freeze={freeze} onDone={onDone} />
        : !proposal.mine && <Confirm freeze={freeze} id={proposal.id} onDone={onDone} />)}
    </section>
  );
}

function Propose({ freeze, onDone }: { freeze: Freeze; onDone: () => void }): ReactNode {
  const words = fr.recording.freeze;
  return (
    <Step label={words.propose} title={words.proposeTitle} path="/api/recorder/releases" testid="propose-release" onDone={onDone}
      body={(form) => ({ subject: freeze.subject, freeze: freeze.id, motif: motifIn(form) })}
    >
      <p className="notice notice-warning">{words.check(freeze.subject)}</p>
      <MotifFields act={`${freeze.subject}_release`} />
    </Step>
  );
}

function Confirm(props: { freeze: Freeze; id: string; onDone: () => void }): ReactNode {
  const words = fr.recording.freeze;
  return (
    <Step
      label={words.confirm} title={words.confirmTitle} path={`/api/recorder/releases/${props.id}/confirm`} testid="confirm-release"
      onDone={props.onDone} body={() => undefined}
    >
      <p className="notice notice-warning">{words.confirmHelp(props.freeze.subject)}</p>
    </Step>
  );
}
